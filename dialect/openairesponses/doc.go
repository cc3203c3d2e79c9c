// Package openairesponses speaks Responses, the newer dialect of OpenAI and of servers compatible with it:
// https://platform.openai.com/docs/api-reference/responses and, for the stream, .../responses-streaming.
//
// A request's input is a list of items, of which messages are one kind. Items that only this dialect knows stay as
// they are. What the vendor's own tools did (a search, a run of code) is said in words for others; an item that is a
// reference to what the vendor keeps, or whose content no words replace, is refused elsewhere, and so is everything
// by which a request leans on the vendor's store: previous_response_id, conversation, prompt, background. An answer
// with an item that only a client of this dialect can act on (a command to run, a patch, an approval to give) or whose
// content no words replace (an image) is an error for all others.
//
// Free-form tools become functions with the one argument "input" for others. Their names begin with "custom:" in
// the words of llm, so that the answer's call is again one of a free-form tool. One whose input follows a grammar is
// refused elsewhere: a function could not hold the model to it.
//
// Reasoning is text with a signature in the words of llm. The signature holds the item's id and its
// encrypted_content; without text the two are sealed thinking. Thinking of other vendors is shown as reasoning items
// whose encrypted_content begins with "understudy." and says who signed what; a client that sends the item back
// restores it, and a relay to the dialect's own vendor strips it.
//
// A translated request is never kept by the vendor (store is false), since that is no other dialect's default. It asks
// for encrypted reasoning where it asks for reasoning, because an unkept conversation cannot go on without it.
//
// The dialect has no stop sequences, no seed, no penalties and no second choice; the first and the last are refused
// and the others dropped, as the tables say. A target that is asked to end at a stop sequence would have to be cut by
// whoever reads the answer, which a codec does not see.
//
// The stream writer writes items strictly one after another and every level of events, with the whole texts repeated
// at each end. An error in a begun stream is response.failed, else the event error, which says it twice: as the
// description has it, and in the member error, from which the vendor's SDKs raise.
//
// Not supported: echoing the request in an answer (instructions, tools, temperature and the like are the empty values
// that the description allows), a request whose kept prompt names the model, the phase of an answer's messages, audio,
// and the WebSocket form. The package does no
// I/O and knows no provider.
package openairesponses
