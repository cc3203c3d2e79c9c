package llm

import (
	"slices"
	"strconv"
)

// Feature is something a request can ask for, or an answer hold, that not every
// dialect has. It is the unit of the loss contract.
type Feature string

// The features that this vocabulary has a word for. Fields that only one
// dialect has are named by that dialect's table of fields instead.
const (
	// FeatureCommon is what every dialect has: model, messages, text, calls and their
	// results, streaming. It is never lost.
	FeatureCommon           Feature = "common"
	FeatureSystemPosition   Feature = "system_position"
	FeatureMessageName      Feature = "message_name"
	FeatureImageData        Feature = "image_data"
	FeatureImageURL         Feature = "image_url"
	FeatureImageDetail      Feature = "image_detail"
	FeatureDocumentData     Feature = "document_data"
	FeatureDocumentURL      Feature = "document_url"
	FeatureDocumentText     Feature = "document_text"
	FeatureDocumentContext  Feature = "document_context"
	FeatureDocumentCite     Feature = "document_citations"
	FeatureAudio            Feature = "audio"
	FeatureFileID           Feature = "file_id"
	FeatureRefusalHistory   Feature = "refusal_history"
	FeatureThinkingHistory  Feature = "thinking_history"
	FeaturePrefill          Feature = "prefill"
	FeatureCacheMark        Feature = "cache_mark"
	FeatureCitationHistory  Feature = "citation_history"
	FeatureVendorPart       Feature = "vendor_part"
	FeatureVendorPartText   Feature = "vendor_part_text"
	FeatureTools            Feature = "tools"
	FeatureVendorTool       Feature = "vendor_tool"
	FeatureToolStrict       Feature = "tool_strict"
	FeatureToolResultImage  Feature = "tool_result_image"
	FeatureToolResultDoc    Feature = "tool_result_document"
	FeatureToolResultError  Feature = "tool_result_error"
	FeatureToolChoice       Feature = "tool_choice"
	FeatureAllowedTools     Feature = "allowed_tools"
	FeatureParallelCalls    Feature = "parallel_tool_calls"
	FeatureMaxTokens        Feature = "max_tokens"
	FeatureTemperature      Feature = "temperature"
	FeatureTopP             Feature = "top_p"
	FeatureTopK             Feature = "top_k"
	FeatureFrequencyPenalty Feature = "frequency_penalty"
	FeaturePresencePenalty  Feature = "presence_penalty"
	FeatureSeed             Feature = "seed"
	FeatureChoices          Feature = "n"
	FeatureStop             Feature = "stop"
	FeatureLogProbs         Feature = "logprobs"
	FeatureLogitBias        Feature = "logit_bias"
	FeatureJSONMode         Feature = "json_mode"
	FeatureJSONSchema       Feature = "json_schema"
	FeatureSchemaLoose      Feature = "json_schema_loose"
	FeatureEffort           Feature = "reasoning_effort"
	FeatureThinkingBudget   Feature = "thinking_budget"
	FeatureThinkingAdaptive Feature = "thinking_adaptive"
	FeatureThinkingOff      Feature = "thinking_off"
	FeatureThinkingDisplay  Feature = "thinking_display"
	FeatureVerbosity        Feature = "verbosity"
	FeatureUser             Feature = "user"
	FeatureTier             Feature = "service_tier"
	FeatureMetadata         Feature = "metadata"
	FeatureCacheKey         Feature = "prompt_cache_key"
	FeatureTokenInput       Feature = "token_input"
	FeatureJoinedInput      Feature = "joined_input"
	FeatureDimensions       Feature = "dimensions"
	FeatureVectorKinds      Feature = "embedding_types"
	FeaturePurpose          Feature = "input_type"
	FeatureTruncate         Feature = "truncate"
	FeatureRankedFields     Feature = "document_fields"
)

// FeatureInfo is what holds for a feature wherever it is not carried.
type FeatureInfo struct {
	Feature  Feature
	Severity Severity
	Absolute bool
	Doc      string
}

// Features lists every feature with the severity of losing it.
func Features() []FeatureInfo { return slices.Clone(features[:]) }

// features is never changed.
var features = [...]FeatureInfo{
	{FeatureCommon, Contract, true, "what every dialect has"},
	{FeatureSystemPosition, Tuning, false, "a system or developer message after the conversation began"},
	{FeatureMessageName, Tuning, false, "the name of one of several speakers"},
	{FeatureImageData, Contract, true, "an image as base64"},
	{FeatureImageURL, Contract, true, "an image by URL"},
	{FeatureImageDetail, Harmless, false, "how closely to look at an image"},
	{FeatureDocumentData, Contract, true, "a document as base64"},
	{FeatureDocumentURL, Contract, true, "a document by URL"},
	{FeatureDocumentText, Contract, true, "a document as text"},
	{FeatureDocumentContext, Tuning, false, "what a document is, said to the model"},
	{FeatureDocumentCite, Tuning, false, "asking for citations of a document"},
	{FeatureAudio, Contract, true, "audio in the prompt"},
	{FeatureFileID, Contract, true, "a file kept by a vendor, which no other vendor can read"},
	{FeatureRefusalHistory, Harmless, false, "an earlier refusal marked as such"},
	{FeatureThinkingHistory, Harmless, false, "thinking of earlier turns, with its signatures"},
	{FeaturePrefill, Contract, false, "the beginning of the answer, to be continued"},
	{FeatureCacheMark, Harmless, false, "a prompt-cache mark"},
	{FeatureCitationHistory, Harmless, false, "citations in earlier answers"},
	{FeatureVendorPart, Contract, true, "message content that only its own dialect knows"},
	{FeatureVendorPartText, Tuning, false, "message content that only its own dialect knows, said in words"},
	{FeatureTools, Contract, true, "tools the client runs"},
	{FeatureVendorTool, Contract, false, "a tool that only its own dialect knows"},
	{FeatureToolStrict, Tuning, false, "arguments held to the schema"},
	{FeatureToolResultImage, Contract, true, "an image in a tool's result"},
	{FeatureToolResultDoc, Contract, true, "a document in a tool's result"},
	{FeatureToolResultError, Tuning, false, "the flag that a tool failed"},
	{FeatureToolChoice, Contract, false, "being told to call a tool, or none"},
	{FeatureAllowedTools, Contract, false, "a choice limited to some of the tools"},
	{FeatureParallelCalls, Tuning, false, "allowing one tool call at a time only"},
	{FeatureMaxTokens, Tuning, false, "the limit of the reply's length"},
	{FeatureTemperature, Tuning, false, "sampling temperature"},
	{FeatureTopP, Tuning, false, "nucleus sampling"},
	{FeatureTopK, Tuning, false, "top-k sampling"},
	{FeatureFrequencyPenalty, Tuning, false, "frequency penalty"},
	{FeaturePresencePenalty, Tuning, false, "presence penalty"},
	{FeatureSeed, Tuning, false, "a sampling seed"},
	{FeatureChoices, Contract, false, "more than one choice"},
	{FeatureStop, Contract, false, "stop sequences"},
	{FeatureLogProbs, Tuning, false, "token probabilities"},
	{FeatureLogitBias, Tuning, false, "biases of single tokens"},
	{FeatureJSONMode, Contract, false, "an answer that is some JSON object"},
	{FeatureJSONSchema, Contract, false, "an answer that satisfies a JSON Schema"},
	{FeatureSchemaLoose, Tuning, false, "a JSON Schema not strictly enforced"},
	{FeatureEffort, Tuning, false, "how much to reason"},
	{FeatureThinkingBudget, Tuning, false, "a number of tokens to think with"},
	{FeatureThinkingAdaptive, Tuning, false, "thinking as much as the model finds right"},
	{FeatureThinkingOff, Tuning, false, "no thinking at all"},
	{FeatureThinkingDisplay, Tuning, false, "whether thinking is shown"},
	{FeatureVerbosity, Tuning, false, "how long-winded to be"},
	{FeatureUser, Harmless, false, "the end user's id, for abuse tracking"},
	{FeatureTier, Harmless, false, "a service tier"},
	{FeatureMetadata, Harmless, false, "labels for the vendor's own log or dashboard"},
	{FeatureCacheKey, Harmless, false, "routing to a warm cache"},
	{FeatureTokenInput, Contract, true, "text to embed as token ids"},
	{FeatureJoinedInput, Contract, true, "one vector of several texts or images"},
	{FeatureDimensions, Contract, false, "the number of a vector's dimensions"},
	{FeatureVectorKinds, Contract, false, "vectors of something else than 32-bit floats"},
	{FeaturePurpose, Tuning, false, "what a vector is for"},
	{FeatureTruncate, Tuning, false, "cutting what is too long to embed"},
	{FeatureRankedFields, Contract, true, "documents to rank that are more than a text"},
}

// Info returns the row of f in Features. A feature without a row is a field that
// only one dialect has: losing it is a tuning loss unless that dialect's table
// says otherwise.
func (f Feature) Info() FeatureInfo {
	for _, info := range features {
		if info.Feature == f {
			return info
		}
	}
	return FeatureInfo{Feature: f, Severity: Tuning}
}

func itoa(n int) string { return strconv.Itoa(n) }
