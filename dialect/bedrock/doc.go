// Package bedrock is the dialect of Amazon Bedrock's Converse and ConverseStream:
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and, for streams,
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. In comments, [bed:X] is
// the shape X of the service description that AWS publishes with its SDKs. Bodies of InvokeModel are those of the
// model's maker: Claude's are the business of package anthropic.
//
// The model and whether to stream are in the path. A stream is framed as AWS's event stream; an exception in it is an
// error of its class. An answer names neither itself nor its model, and does not tell reasoning from other output.
//
// Towards a client, thinking that another vendor signed or sealed, or nobody, is shown with a signature of this
// gateway's own around the vendor's, beginning with understudy.v1. — when it comes back, it is known whose it is, and
// Relay.Strip takes it away from what goes to Bedrock. Why an answer was refused has no place. Arguments of a tool
// call that are not a JSON object cannot be shown in a whole answer: it is refused as a bad answer, except that a
// call cut off by the token limit is shown with empty arguments and reported. A stream carries them as they are.
// metrics.latencyMs is 0 where the vendor said none: the member must be there. A sign of life is an event of a type
// that no client knows.
//
// Towards a provider, a turn holds what several messages said, tool results first, and the user speaks first: where
// the conversation begins otherwise, a turn is made up and reported. Blank texts are left out, a document gets a text
// beside it and a name that is legal. The dialect has no tool choice "none": the tools are not sent, or, if the
// history uses some, the model is asked in words. What only some makers' models take goes where the maker has it:
// top_k, and thinking, which Claude's models are told by additionalModelRequestFields. The family is read
// from the model's name; the rest is facts. Schemas are passed on as they are: what of them a model takes is its maker's
// business. URLs are refused, since the vendor fetches none.
//
// Guardrails, prompt resources and what stands under them are refused for every other dialect. Asynchronous and
// bidirectional invocation and applying guardrails apart are not part of this package.
package bedrock
