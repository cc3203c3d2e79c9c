package cohere

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// fields is the table of request fields that a client may send: the description of /v2/chat.
func fields() []dialect.Field {
	own := func(path string, s llm.Severity, note string) dialect.Field {
		return dialect.Field{Path: path, Severity: s, Note: note}
	}
	common := func(path, note string) dialect.Field {
		return dialect.Field{Path: path, Feature: llm.FeatureCommon, Note: note}
	}
	is := func(path string, f llm.Feature) dialect.Field { return dialect.Field{Path: path, Feature: f} }
	return []dialect.Field{
		common("model", "replaced by the target's"),
		common("messages", ""),
		common("stream", ""),
		is("messages[].role", llm.FeatureSystemPosition),
		common("messages[].content", ""),
		common("messages[].content[].text", ""),
		is("messages[].content[].thinking", llm.FeatureThinkingHistory),
		is("messages[].content[].image_url", llm.FeatureImageURL),
		is("messages[].content[].image_url.url", llm.FeatureImageData),
		is("messages[].content[].image_url.detail", llm.FeatureImageDetail),
		is("messages[].content[].document", llm.FeatureToolResultDoc),
		is("messages[].content[]", llm.FeatureVendorPart),
		common("messages[].tool_plan", "as text before the calls"),
		common("messages[].tool_calls", ""),
		common("messages[].tool_call_id", ""),
		is("messages[].citations", llm.FeatureCitationHistory),
		is("documents", llm.FeatureDocumentText),
		is("documents[].data.context", llm.FeatureDocumentContext),
		is("citation_options.mode", llm.FeatureDocumentCite),
		own("citation_options", llm.Tuning, "how citations are made"),
		is("tools", llm.FeatureTools),
		is("strict_tools", llm.FeatureToolStrict),
		is("tool_choice", llm.FeatureToolChoice),
		is("max_tokens", llm.FeatureMaxTokens),
		is("stop_sequences", llm.FeatureStop),
		is("temperature", llm.FeatureTemperature),
		is("p", llm.FeatureTopP),
		is("k", llm.FeatureTopK),
		is("frequency_penalty", llm.FeatureFrequencyPenalty),
		is("presence_penalty", llm.FeaturePresencePenalty),
		is("seed", llm.FeatureSeed),
		is("logprobs", llm.FeatureLogProbs),
		is("response_format", llm.FeatureJSONMode),
		is("response_format.json_schema", llm.FeatureJSONSchema),
		is("thinking", llm.FeatureThinkingAdaptive),
		is("thinking.token_budget", llm.FeatureThinkingBudget),
		is("thinking.type", llm.FeatureThinkingOff),
		own("safety_mode", llm.Contract, "a safety control stricter than the vendor's default"),
		own(keyUsualSafety, llm.Harmless, "the vendor's default safety control, or none"),
		own("priority", llm.Harmless, "how early the vendor handles the request"),
	}
}

// keyUsualSafety keeps a safety_mode that asks for no more safety than the vendor's default.
const keyUsualSafety = "safety_mode.usual"

// carries says how the provider side carries each feature.
func carries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	return dialect.Carries{
		llm.FeatureSystemPosition:   {Action: llm.ActionApproximated, Note: "as marked text in a user message"},
		llm.FeatureThinkingHistory:  {Action: llm.ActionMapped, Note: "what nobody signed; what another vendor signed is dropped"},
		llm.FeatureRefusalHistory:   {Action: llm.ActionApproximated, Note: "sent as text"},
		llm.FeatureVendorPartText:   {Action: llm.ActionApproximated, Note: "said in words"},
		llm.FeaturePrefill:          {Action: llm.ActionRefused, Note: "a last message of the assistant's is not continued"},
		llm.FeatureDocumentText:     {Action: llm.ActionMapped, Note: "beside the conversation; beside a response format, as text in it"},
		llm.FeatureDocumentContext:  {Action: llm.ActionMapped, Note: "as a field of the document"},
		llm.FeatureDocumentCite:     {Action: llm.ActionMapped, Note: "of all documents or none"},
		llm.FeatureToolResultDoc:    {Action: llm.ActionMapped, Note: "documents that are text"},
		llm.FeatureToolResultImage:  {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "in a user message after the results"},
		llm.FeatureToolResultError:  {Action: llm.ActionApproximated, Note: `by the word "Error:" before the result`},
		llm.FeatureToolStrict:       {Action: llm.ActionMapped, Note: "if all tools are strict and each requires a parameter"},
		llm.FeatureToolChoice:       {Action: llm.ActionMapped, Note: "a named tool is sent alone, and a call required"},
		llm.FeatureAllowedTools:     {Action: llm.ActionEmulated, Note: "only the allowed tools are sent"},
		llm.FeatureTemperature:      {Action: llm.ActionMapped, Note: "above 1 it is clamped"},
		llm.FeatureTopP:             {Action: llm.ActionMapped, Note: "clamped to 0.01 and 0.99"},
		llm.FeatureTopK:             {Action: llm.ActionMapped, Note: "at most 500"},
		llm.FeatureFrequencyPenalty: {Action: llm.ActionMapped, Note: "from 0 to 1"},
		llm.FeaturePresencePenalty:  {Action: llm.ActionMapped, Note: "from 0 to 1"},
		llm.FeatureSeed:             {Action: llm.ActionMapped, Note: "not if negative"},
		llm.FeatureStop:             {Action: llm.ActionMapped, Note: "at most 5"},
		llm.FeatureLogProbs:         {Action: llm.ActionMapped, Note: "without alternatives"},
		llm.FeatureJSONMode:         {Action: llm.ActionMapped, Note: "not together with tools"},
		llm.FeatureJSONSchema:       {Action: llm.ActionMapped, Note: "not together with tools"},
		llm.FeatureSchemaLoose:      {Action: llm.ActionApproximated, Note: "the target always enforces a schema"},
		llm.FeatureEffort:           {Action: llm.ActionApproximated, Note: "as tokens to think with: low 1024, medium 8192, above that no limit"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionMapped, Note: "on models that reason"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionMapped, Note: "on models that take a number of tokens"},
		llm.FeatureThinkingOff:      {Action: llm.ActionMapped, Note: "on models that have a switch for it"},
		llm.FeatureThinkingDisplay:  {Action: llm.ActionDropped, Note: "the dialect has no switch for it"},
		llm.FeatureImageData:        mapped,
		llm.FeatureImageURL:         mapped,
		llm.FeatureImageDetail:      mapped,
		llm.FeatureTools:            mapped,
		llm.FeatureMaxTokens:        mapped,
	}
}
