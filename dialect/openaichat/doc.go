// Package openaichat speaks Chat Completions, the dialect of OpenAI and of the many servers compatible with it:
// https://platform.openai.com/docs/api-reference/chat and, for the stream, .../chat-streaming.
//
// The provider side reads what compatible servers are known to send: reasoning under several names, content as a
// list or an object, tool calls without index or id, usage anywhere, no terminator after a finish reason, and errors
// in many shapes. It writes what the vendor documents today; a server that wants it otherwise (max_tokens instead of
// max_completion_tokens, no stream_options) is served by edits in its facts.
//
// Three conventions are this gateway's own. Thinking is shown as reasoning_content, a string. Thinking that another
// vendor signed or sealed travels beside it in reasoning_details, as entries of type "understudy.thinking" with the
// issuer's name, so that a client which sends the message back restores it; in a stream the entry comes when the
// block ends, and the block's first piece names the issuer. One after calls says after how many. Thinking of another vendor that nobody signed has an entry
// which says so, and by that is known from what a compatible server wants back. And images and documents in a tool's result, which Chat
// has no place for, follow in a user message after the results.
//
// A stream's choices finish when the stream ends, not at the finish reason, because one server sends text after it. A
// stream that ends without its terminator is whole if every choice seen had a finish reason; how many choices there
// should have been, nobody says. One that ends with it and without a finish reason is whole if its tokens were counted.
//
// A request with functions is answered in that old shape, which has one call a turn: of several the first is shown.
//
// Not supported: free-form tools in other dialects, audio in answers, tool calls or results whose counterpart is
// missing (they are refused), and members of answers that carry no part of the answer, such as system_fingerprint,
// which a translation leaves out. The package does no I/O and knows no provider.
package openaichat
