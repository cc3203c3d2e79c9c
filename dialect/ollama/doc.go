// Package ollama speaks Ollama's own chat API: https://docs.ollama.com/api/chat, in streams of one JSON text a line, which
// are what a request gets that does not say otherwise.
//
// Content is one text in this dialect, and images are bare base64 beside it. Tool calls come whole, with their arguments
// as an object; their ids are optional. A call without an id gets one, the same for the same place, and a result without
// one answers the first call of its tool_name, or the first, that waits. Towards a server, results stand in the order of
// their calls, since older ones know no ids.
//
// Thinking is not signed here. What another vendor signed or sealed travels in the message's member understudy_thinking,
// which is this gateway's own; in a stream it comes when the block ends. A refusal has no word in the dialect: it and a
// filter's stop end with the done_reason content_filter. Arguments that are no JSON object are refused in a whole answer
// and written as a string in a stream, and a call that the token limit cut is left out.
//
// A sign of life is a line without content, because clients read every line as JSON. Durations are read from no answer
// and written to none: what they measure is the vendor's.
//
// Not supported: /api/generate, /api/embeddings, and the management of models, except their list and what is shown of one. The package does no I/O and
// knows no provider.
package ollama
