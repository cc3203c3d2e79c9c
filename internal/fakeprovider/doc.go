// Package fakeprovider is a simulated model vendor that speaks the real wire formats, written by hand
// from the vendors' documentation so that it can judge our codecs: OpenAI Chat Completions
// (POST /v1/chat/completions, GET /v1/models) and Responses (POST /v1/responses), Anthropic Messages
// (POST /v1/messages, GET /v1/models with an anthropic-version header), Cohere Chat (POST /v2/chat,
// GET /v1/models with the header of Cohere's SDKs), Ollama's chat (POST /api/chat, GET /api/tags),
// Amazon Bedrock (POST /model/ID/converse and converse-stream, invoke and
// invoke-with-response-stream with Anthropic's bodies, GET /foundation-models; it verifies keys and
// no signatures) and Google's generateContent (POST …/models/ID:generateContent and
// :streamGenerateContent, as events or as an array, GET /v1beta/models; models called gemini-2…
// think by budget, all others by level, and those want their signatures back), unary and streaming.
// A wrong request gets the vendor's own 400, a wrong key its 401. Start a server, point a client at
// its base URL, and ask the journal afterwards what arrived:
//
//	s := fakeprovider.New(fakeprovider.Options{Key: "secret"})
//	base, err := s.Start()
//	defer s.Close()
//	s.SetFault(&fakeprovider.Fault{Kind: "overloaded-529"})
//	... s.Requests()[0].Fault == "overloaded-529"
//
// Beside answers, it makes vectors (embeddings of OpenAI, Cohere, Google, Ollama and Titan), ranks documents
// (Cohere's form and Jina's) and counts tokens (Anthropic's, Google's and Bedrock's), at the vendors' paths, Vertex AI's among
// them, and with their complaints. Vector is what every one of them makes of a text.
//
// # Answers
//
// Everything is deterministic. A request is answered, in this order, by the next value given to
// Enqueue, by Options.Replies for its model, by Options.Script, or by rule: tool results are quoted;
// offered tools are called (the first two, or one where parallel calls are off) with arguments made
// from their schemas; a requested JSON schema is satisfied; images and documents are named with media
// type and size ("I see image/png of 68 bytes."); any other text is echoed. max_tokens and stop sequences cut the
// answer as they would at the vendor; one word counts as one token. A request that gives the beginning
// of the answer back, as an assistant's turn that stands last where the vendor continues those, or
// quoted by the user, gets the rest of the same answer.
//
// # Markers
//
// A model name can carry markers after plus signs, as in "gpt-4o+think+chunks-100"; each may also be
// written with a leading "x-", and may then stand alone, as in "x-fault-overloaded-529":
//
//	chunks-N     a text of N words, each streamed on its own
//	delay-D      wait D (a Go duration) before each streamed chunk, or before the unary body
//	first-D      wait D before the headers
//	think        visible thinking first (a signed block; reasoning_content in Chat Completions; a
//	             summary in Responses, encrypted where the request asks for it; thoughts in Gemini)
//	redacted     a redacted thinking block first (in Responses: reasoning that is only encrypted; in
//	             Gemini: an empty text with a signature, last)
//	tools-N      N tool calls, whether or not tools were offered
//	noargs       tool calls have no arguments
//	steps-N      a tool loop goes on until N rounds of results have come back
//	notools      offered tools are not called
//	refuse       a refusal
//	cite         citations
//	cached       part of the input was read from, part written to a cache
//	again-N      a quoted answer is gone on with after its last N bytes were said again
//	preamble     a quoted answer is gone on with after some words and the end of it
//	stop-X       the finish reason or stop reason is X
//	tier-X       the service tier is X, whichever was asked for
//	fault-K      the fault K of Faults; fault-K=N sets Fault.After to N
//
// The fault of a request is the one its X-Fault header names ("K" or "K=N"), else the next queued
// one, else its model's marker, else the one set with SetFault. Faults lists all kinds. A kind that exists only for streams
// leaves unary requests alone, and the reverse.
//
// The package imports nothing of ours, keeps no state beyond a Server, and is no vendor's model: it
// cannot tell good prompts from bad ones.
package fakeprovider
