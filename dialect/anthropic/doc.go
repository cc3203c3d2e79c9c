// Package anthropic is the dialect of the Messages API: https://platform.claude.com/docs/en/api/messages and, for
// streams, https://platform.claude.com/docs/en/build-with-claude/streaming.
//
// It has a few habits that the other side of a translation should know.
//
// Towards a client, the id of a tool call that does not begin with toolu_ or srvtoolu_ gets that prefix, and thinking
// that this dialect's vendor did not sign gets a signature of this gateway's own, beginning with understudy.v1. —
// clients send thinking blocks back only with a signature. It holds what another vendor signed or sealed.
// Relay.Strip takes such blocks away again, and DecodeRequest reads who made them.
// Arguments of a tool call that are not a JSON object cannot be shown in a whole answer: it is refused as a bad
// answer, except that a call cut off by the token limit is shown with empty arguments and reported. A stream
// carries them as they are.
//
// Towards a provider, a turn holds what several messages said: tool results first, then the rest. Tool results
// without their call, and calls without their result, are refused; nothing is made up for them. Arguments in the
// history that are not a JSON object are sent as {} and reported. A system message in mid-conversation becomes
// marked text in the user's turn on models that do not take it as it is. A request without max_tokens gets the
// model's limit, or 32,000, which every current model accepts.
//
// Usage details that count no tokens (server_tool_use, iterations, inference_geo) are read from no answer and
// written to none. Legacy text completions, batches and files are not part of this package.
package anthropic
