// Package sdktest runs the vendors' official SDKs for Go, Python and TypeScript, and what people
// use on top of them, against the built binary: OpenAI's (Chat Completions, Responses, embeddings,
// what is only relayed, realtime sessions, Azure's clients), Anthropic's, Google's, Cohere's, AWS's
// (Converse and InvokeModel) and Ollama's in all three languages; LangChain, LlamaIndex, LiteLLM and
// Pydantic AI in Python; LangChain and the AI SDK in TypeScript. OpenAI's and Anthropic's play the
// same scenarios, named alike, in the three languages. Every SDK is served by its own vendor and by
// all others; in Go, every_test.go has what that means.
//
// sdktest/run plays them all; the stage they share is the program vendors, their common data is in
// testdata. LlamaIndex wants older SDKs than the rest and has a list of requirements, and an
// environment, of its own. The module is one of its own so that no SDK becomes a dependency of the
// product, and it has nothing to import.
package sdktest
