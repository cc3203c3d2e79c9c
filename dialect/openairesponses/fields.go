package openairesponses

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

const (
	harmless = llm.Harmless
	tuning   = llm.Tuning
	contract = llm.Contract
)

// own is the row of a field that only this dialect has.
func own(path string, s llm.Severity, note string) dialect.Field {
	return dialect.Field{Path: path, Severity: s, Note: note}
}

// always is the row of a field that is refused elsewhere whatever the policy.
func always(path, note string) dialect.Field {
	return dialect.Field{Path: path, Severity: contract, Absolute: true, Note: note}
}

func common(path, note string) dialect.Field {
	return dialect.Field{Path: path, Feature: llm.FeatureCommon, Note: note}
}

func means(path string, f llm.Feature, note string) dialect.Field {
	return dialect.Field{Path: path, Feature: f, Note: note}
}

// fields is the table of request fields: openai.yaml, CreateResponse.
func fields() []dialect.Field {
	list := []dialect.Field{
		common("model", "replaced by the target's"),
		common("input", "the conversation itself; see its items"),
		common("instructions", "as a system message before all others"),
		common("stream", "every dialect streams"),
		common("stream_options", "see its members"),
		own("stream_options.include_obfuscation", harmless, "the gateway pads nothing"),
		means("tools", llm.FeatureTools, ""),
		means("tools[].strict", llm.FeatureToolStrict, ""),
		means("tools[].type", llm.FeatureVendorTool, "any type but function, and but custom without a grammar"),
		{
			Path: "tools[].custom", Severity: harmless, Action: llm.ActionEmulated,
			Note: "a free-form tool, as a function with the one argument input",
		},
		{
			Path: "tools[].namespace", Severity: harmless, Action: llm.ActionEmulated,
			Note: "a tool of a group, as one of its own whose name begins with the group's",
		},
		own("tools[].output_schema", tuning, "what the tool's result looks like"),
		own("tools[].defer_loading", harmless, "when the model gets to know the tool"),
		own("tools[].allowed_callers", contract, "who may call the tool"),
		means("tool_choice", llm.FeatureToolChoice, ""),
		means("tool_choice.tools", llm.FeatureAllowedTools, "type allowed_tools"),
		own("tool_choice.type", contract, "a choice of one of the vendor's own tools"),
		means("parallel_tool_calls", llm.FeatureParallelCalls, ""),
		own("max_tool_calls", tuning, "how many calls of the vendor's own tools"),
		means("max_output_tokens", llm.FeatureMaxTokens, ""),
		means("temperature", llm.FeatureTemperature, ""),
		means("top_p", llm.FeatureTopP, ""),
		means("top_logprobs", llm.FeatureLogProbs, ""),
		own("include", harmless, "details of what the vendor's own tools did; logprobs and encrypted reasoning are asked for otherwise"),
		common("text", "see its members"),
		means("text.format", llm.FeatureJSONSchema, "type json_schema"),
		means("text.format.type", llm.FeatureJSONMode, "type json_object"),
		means("text.format.strict", llm.FeatureSchemaLoose, "false or absent"),
		means("text.verbosity", llm.FeatureVerbosity, ""),
		common("reasoning", "see its members"),
		means("reasoning.effort", llm.FeatureEffort, ""),
		means("reasoning.effort.none", llm.FeatureThinkingOff, "the effort none"),
		means("reasoning.summary", llm.FeatureThinkingDisplay, ""),
		own("reasoning.summary.length", harmless, "whether a summary is concise or detailed"),
		own("reasoning.mode", tuning, "how the vendor's model reasons"),
		own("reasoning.context", tuning, "which turns' reasoning the model sees again"),
		means("safety_identifier", llm.FeatureUser, ""),
		means("user", llm.FeatureUser, "the former name of safety_identifier"),
		means("service_tier", llm.FeatureTier, ""),
	}
	return append(append(list, itemFields()...), vendorFields()...)
}

// itemFields are the rows of what stands in items.
func itemFields() []dialect.Field {
	return []dialect.Field{
		means("input[].role", llm.FeatureSystemPosition, "role system or developer after the conversation began"),
		common("input[].content", "the parts of a message"),
		means("input[].content[].input_image.image_url", llm.FeatureImageURL, ""),
		means("input[].content[].input_image.data", llm.FeatureImageData, "an image_url that is a data URI"),
		means("input[].content[].input_image.detail", llm.FeatureImageDetail, ""),
		means("input[].content[].input_file.file_data", llm.FeatureDocumentData, ""),
		means("input[].content[].input_file.file_url", llm.FeatureDocumentURL, ""),
		means("input[].content[].file_id", llm.FeatureFileID, ""),
		means("input[].content[].refusal", llm.FeatureRefusalHistory, ""),
		means("input[].content[].annotations", llm.FeatureCitationHistory, ""),
		means("input[].content[].prompt_cache_breakpoint", llm.FeatureCacheMark, ""),
		own("input[].content[].detail", tuning, "how closely to look at a file"),
		means("input[].reasoning", llm.FeatureThinkingHistory, "items of that type"),
		means("input[].output[].input_image", llm.FeatureToolResultImage, "in a call's output"),
		means("input[].output[].input_file", llm.FeatureToolResultDoc, "in a call's output"),
		common("input[].call_id", "part of a call and of its output"),
		common("input[].arguments", "part of a call"),
		common("input[].id", "the vendor's own number of an item that is there in full"),
		common("input[].status", "of an item that is there in full"),
		own("input[].phase", harmless, "whether an answer was a commentary or final"),
		own("input[].content[].caller", harmless, "that the vendor's own program made the call"),
		{
			Path: "input[]." + itemTools, Severity: harmless, Action: llm.ActionEmulated,
			Note: "tools in an item, as the request's own",
		},
		always("input[]."+itemReference, "an item kept by the vendor: send the item itself instead"),
		means("input[]", llm.FeatureVendorPart, "items that no words replace: item_reference, compaction, computer use, generated images, approvals"),
		means("input[].type", llm.FeatureVendorPartText, "items of what the vendor's own tools did"),
	}
}

// vendorFields are the rows of what only this dialect's vendor does.
func vendorFields() []dialect.Field {
	return []dialect.Field{
		always("previous_response_id", "a conversation kept by the vendor: send it whole instead"),
		always("conversation", "a conversation kept by the vendor: send it whole instead"),
		always("prompt", "a prompt kept by the vendor"),
		always("background", "an answer to be fetched from the vendor later"),
		always("moderation", "a safety control"),
		own("store", tuning, "the answer can neither be fetched nor gone on from by its id; false is what all others do"),
		own("truncation", tuning, "leaving out the middle of a conversation that is too long"),
		own("context_management", tuning, "what the vendor condenses of a long conversation"),
		means("metadata", llm.FeatureMetadata, ""),
		own("metadata[]", harmless, "a label that is no text"),
		means("prompt_cache_key", llm.FeatureCacheKey, ""),
		own("prompt_cache_retention", harmless, "how long a cache is kept, which depends on the model"),
		own("openai-beta", harmless, "a header: a version of the API that is in trial"),
		own("prompt_cache_options", harmless, "how a cache is kept, which depends on the model"),
	}
}

// carries says how the provider side carries each feature.
func carries() dialect.Carries {
	const longID = "above 64 characters as a hash"
	c := dialect.Carries{
		llm.FeatureDocumentText:     {Action: llm.ActionApproximated, Severity: tuning, Note: "as text, with its title around it"},
		llm.FeatureDocumentContext:  {Action: llm.ActionApproximated, Note: "as text beside the document"},
		llm.FeatureToolResultError:  {Action: llm.ActionApproximated, Note: `by the word "Error:" before the result`},
		llm.FeatureVendorPartText:   {Action: llm.ActionApproximated, Note: "said in words"},
		llm.FeatureCitationHistory:  {Action: llm.ActionApproximated, Note: "those of URLs, without the words cited"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionApproximated, Note: "as an effort: below 4096 low, below 16384 medium, else high"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionEmulated, Note: "a model of this dialect decides by itself when no effort is set"},
		llm.FeatureThinkingDisplay:  {Action: llm.ActionEmulated, Note: "by asking for a summary, or for none"},
		llm.FeatureThinkingHistory:  {Action: llm.ActionMapped, Note: "what the target's vendor sealed; the rest is dropped"},
		llm.FeatureEffort:           {Action: llm.ActionMapped, Note: "on models that take one"},
		llm.FeatureThinkingOff:      {Action: llm.ActionMapped, Note: "as effort none"},
		llm.FeatureJSONSchema:       {Action: llm.ActionMapped, Note: "strict only for schemas that the vendor's strict mode takes"},
		llm.FeatureToolStrict:       {Action: llm.ActionMapped, Note: "only for schemas that the vendor's strict mode takes"},
		llm.FeatureMaxTokens:        {Action: llm.ActionMapped, Note: "at least 16"},
		llm.FeatureTemperature:      {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopP:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeaturePrefill:          {Action: llm.ActionRefused, Note: "a last message of the assistant's is answered, not continued"},
		llm.FeatureStop:             {Action: llm.ActionRefused, Note: "the dialect has none"},
		llm.FeatureUser:             {Action: llm.ActionMapped, Note: longID},
		llm.FeatureTier:             {Action: llm.ActionMapped, Note: forms.OpenAITiers},
		llm.FeatureCacheKey:         {Action: llm.ActionMapped, Note: longID},
		llm.FeatureMetadata:         {Action: llm.ActionMapped, Note: "16 labels, of 64 characters the key and 512 the value"},
	}
	for _, f := range []llm.Feature{
		llm.FeatureSystemPosition, llm.FeatureImageData, llm.FeatureImageURL, llm.FeatureImageDetail, llm.FeatureDocumentData,
		llm.FeatureDocumentURL, llm.FeatureRefusalHistory, llm.FeatureTools, llm.FeatureToolResultImage, llm.FeatureToolResultDoc,
		llm.FeatureToolChoice, llm.FeatureAllowedTools, llm.FeatureParallelCalls, llm.FeatureLogProbs, llm.FeatureJSONMode,
		llm.FeatureSchemaLoose, llm.FeatureVerbosity,
	} {
		c[f] = dialect.Carriage{Action: llm.ActionMapped}
	}
	return c
}
