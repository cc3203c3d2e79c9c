// Package gemini is the dialect of Google's generateContent and streamGenerateContent, as the Gemini API and Vertex AI
// serve it: https://ai.google.dev/api/generate-content and
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
//
// The path names the model and says whether a stream is asked for, and with alt=sse that it comes as server-sent
// events; without, it is one JSON array. A stream has no last event: it ends after the finish reason of every
// candidate. Clients may spell members in camelCase or snake_case; answers and requests to providers are in camelCase.
//
// Thought signatures stand on any part. In llm's words one that stands on a function call, a text or an empty text is
// sealed thinking of this dialect beside that part, so that other dialects can carry it; written again, it is back on
// its part. Calls that were made by another vendor's model get the vendor's documented placeholder where models demand
// a signature; clients are shown them with it, so that the vendor takes a history of them as it is. Thinking of other
// vendors is shown to clients as thoughts under a signature of this gateway's own, which Relay.Strip and DecodeRequest
// take away again.
//
// A call without an id is given one; its result, which need not have one either, is found by name and order. Calls
// and results are sent with ids, which the Gemini API takes and Vertex AI's v1 does not: a provider's edits drop them.
//
// JSON Schemas are sent in the members that take them (parametersJsonSchema, responseJsonSchema), less the keywords
// that the vendor refuses; those are said in the description. Schemas of the OpenAPI kind, which clients may send,
// become JSON Schemas.
//
// Files, caches, batches and the live API are not part of this package. The arguments of
// a streamed call that comes in pieces (partialArgs) are read, and written whole.
package gemini
