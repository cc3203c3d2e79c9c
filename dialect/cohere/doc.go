// Package cohere speaks Cohere's Chat API, version 2: https://docs.cohere.com/v2/reference/chat and, for its streams,
// https://docs.cohere.com/v2/reference/chat-stream.
//
// The documents of a request stand beside the conversation. They are read as document parts at the head of the last
// message of the user's, named by their id, so that an answer from elsewhere cites them by it; and documents of other
// clients become documents here. tool_plan is the text before the calls of a turn: it is read as text, and text before
// calls in the history is sent as tool_plan. In an answer, text is content whether or not calls follow, because a
// stream cannot know.
//
// Thinking is not signed in this dialect. What another vendor signed or sealed travels in the block's member
// understudy_thinking, which is this gateway's own; it is taken away again before the block comes to the vendor.
//
// A finish reason ERROR is an error of the vendor's, unless the tokens were counted and no error is named: so this
// gateway says that an answer was refused or filtered, for which the dialect has no word. The vendor counts more input
// tokens than it bills, which are what is paid for; clients of other dialects are told of all tokens. Citations
// count characters as Unicode code points. Of a token's probability, its numeric ids are not carried.
//
// Not supported: version 1 of the API, and its tools, connectors and search queries. The package does no I/O and knows
// no provider.
package cohere
