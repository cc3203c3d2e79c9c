package openaichat

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// fields is the table of request fields: openai.yaml, CreateChatCompletionRequest, and the extensions that clients of
// compatible servers send.
func fields() []dialect.Field {
	const (
		harmless = llm.Harmless
		tuning   = llm.Tuning
		contract = llm.Contract
	)
	own := func(path string, s llm.Severity, note string) dialect.Field {
		return dialect.Field{Path: path, Severity: s, Note: note}
	}
	always := func(path, note string) dialect.Field {
		return dialect.Field{Path: path, Severity: contract, Absolute: true, Note: note}
	}
	common := func(path, note string) dialect.Field {
		return dialect.Field{Path: path, Feature: llm.FeatureCommon, Note: note}
	}
	is := func(path string, f llm.Feature) dialect.Field { return dialect.Field{Path: path, Feature: f} }
	form := func(path string) dialect.Field {
		return dialect.Field{Path: path, Severity: contract, Form: true, Note: "an answer that some servers hold to a form"}
	}
	return []dialect.Field{
		common("model", "replaced by the target's"),
		common("messages", ""),
		is("messages[].role", llm.FeatureSystemPosition),
		is("messages[].name", llm.FeatureMessageName),
		common("messages[].content", ""),
		common("messages[].content[].text", ""),
		is("messages[].content[].image_url", llm.FeatureImageURL),
		is("messages[].content[].image_url.url", llm.FeatureImageData),
		is("messages[].content[].image_url.detail", llm.FeatureImageDetail),
		is("messages[].content[].file", llm.FeatureDocumentData),
		is("messages[].content[].file.file_id", llm.FeatureFileID),
		is("messages[].content[].input_audio", llm.FeatureAudio),
		is("messages[].content[].prompt_cache_breakpoint", llm.FeatureCacheMark),
		is("messages[].content[].cache_control", llm.FeatureCacheMark),
		is("messages[].content[]", llm.FeatureVendorPart),
		is("messages[].refusal", llm.FeatureRefusalHistory),
		is("messages[].reasoning_content", llm.FeatureThinkingHistory),
		own("messages[].reasoning_details", harmless, "thinking signed by others than this gateway's vendors"),
		own("messages[].annotations", harmless, "citations of an earlier answer, which the dialect does not take back"),
		always("messages[].audio", "an answer in audio that the vendor keeps"),
		common("messages[].tool_calls", ""),
		common("messages[].tool_call_id", ""),
		common("messages[].function_call", "as a tool call"),
		is("tools", llm.FeatureTools),
		is("tools[].function.strict", llm.FeatureToolStrict),
		is("tools[].custom", llm.FeatureVendorTool),
		is("functions", llm.FeatureTools),
		is("tool_choice", llm.FeatureToolChoice),
		is("tool_choice.allowed_tools", llm.FeatureAllowedTools),
		is("function_call", llm.FeatureToolChoice),
		is("parallel_tool_calls", llm.FeatureParallelCalls),
		is("max_completion_tokens", llm.FeatureMaxTokens),
		is("max_tokens", llm.FeatureMaxTokens),
		is("temperature", llm.FeatureTemperature),
		is("top_p", llm.FeatureTopP),
		is("frequency_penalty", llm.FeatureFrequencyPenalty),
		is("presence_penalty", llm.FeaturePresencePenalty),
		is("seed", llm.FeatureSeed),
		is("random_seed", llm.FeatureSeed), // Mistral
		is("n", llm.FeatureChoices),
		is("stop", llm.FeatureStop),
		is("logprobs", llm.FeatureLogProbs),
		is("top_logprobs", llm.FeatureLogProbs),
		is("logit_bias", llm.FeatureLogitBias),
		is("response_format", llm.FeatureJSONSchema),
		is("response_format.json_object", llm.FeatureJSONMode),
		is("response_format.json_schema.strict", llm.FeatureSchemaLoose),
		is("reasoning_effort", llm.FeatureEffort),
		is("reasoning_effort.none", llm.FeatureThinkingOff),
		is("verbosity", llm.FeatureVerbosity),
		common("stream", ""),
		common("stream_options", "usage is always counted"),
		common("stream_options.include_usage", "usage is always counted"),
		own("stream_options.include_obfuscation", harmless, "the gateway pads nothing"),
		is("safety_identifier", llm.FeatureUser),
		is("user", llm.FeatureUser),
		is("service_tier", llm.FeatureTier),
		is("metadata", llm.FeatureMetadata),
		own("metadata[]", harmless, "a label that is no text"),
		own(keyStore, harmless, "keeping the answer at the vendor, where the other API does not find it"),
		is("prompt_cache_key", llm.FeatureCacheKey),
		own("prompt_cache_retention", harmless, "how long a cache is kept, which depends on the model"),
		own("prompt_cache_options", harmless, "how a cache is kept, which depends on the model"),
		own("openai-beta", harmless, "a header: a version of the API that is in trial"),
		own("prediction", harmless, "text to speed up the answer with"),
		always("modalities", "an answer that is more than text"),
		always("audio", "an answer in audio"),
		always("moderation", "a safety control"),
		own("web_search_options", contract, "a search by the vendor"),
		form("guided_json"), form("guided_regex"), form("guided_choice"), form("guided_grammar"), // vLLM
		form("structured_outputs"), form("structural_tag"), // vLLM, SGLang
		form("grammar"), form("json_schema"), // llama.cpp
		form("regex"), form("ebnf"), // SGLang
	}
}

// carries says how the provider side carries each feature.
func carries() dialect.Carries {
	const longID = "above 64 characters as a hash"
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	c := dialect.Carries{
		llm.FeatureAudio:            {Action: llm.ActionMapped, Note: "wav and mp3; any other format is refused"},
		llm.FeatureDocumentText:     {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "as text, with its title around it"},
		llm.FeatureDocumentContext:  {Action: llm.ActionApproximated, Note: "as text beside the document"},
		llm.FeatureToolResultImage:  {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "in a user message after the results"},
		llm.FeatureToolResultDoc:    {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "in a user message after the results"},
		llm.FeatureToolResultError:  {Action: llm.ActionApproximated, Note: `by the word "Error:" before the result`},
		llm.FeatureVendorPartText:   {Action: llm.ActionApproximated, Note: "said in words"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionApproximated, Note: "as an effort: below 4096 low, below 16384 medium, else high"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionEmulated, Note: "a model of this dialect decides by itself when no effort is set"},
		llm.FeatureJSONSchema:       {Action: llm.ActionMapped, Note: "strict only for schemas that the vendor's strict mode takes"},
		llm.FeatureToolStrict:       {Action: llm.ActionMapped, Note: "only for schemas that the vendor's strict mode takes"},
		llm.FeatureStop:             {Action: llm.ActionMapped, Note: "at most 4; not for models that take none"},
		llm.FeatureTemperature:      {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopP:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureThinkingOff:      {Action: llm.ActionMapped, Note: "as effort none"},
		llm.FeaturePrefill:          {Action: llm.ActionRefused, Note: "a last message of the assistant's is answered, not continued"},
		llm.FeatureThinkingDisplay:  {Action: llm.ActionDropped, Note: "the dialect has no switch for it"},
		llm.FeatureSystemPosition:   mapped,
		llm.FeatureMessageName:      mapped,
		llm.FeatureImageData:        mapped,
		llm.FeatureImageURL:         mapped,
		llm.FeatureImageDetail:      mapped,
		llm.FeatureDocumentData:     mapped,
		llm.FeatureRefusalHistory:   mapped,
		llm.FeatureTools:            mapped,
		llm.FeatureToolChoice:       mapped,
		llm.FeatureAllowedTools:     mapped,
		llm.FeatureParallelCalls:    mapped,
		llm.FeatureMaxTokens:        mapped,
		llm.FeatureFrequencyPenalty: mapped,
		llm.FeaturePresencePenalty:  mapped,
		llm.FeatureSeed:             mapped,
		llm.FeatureChoices:          mapped,
		llm.FeatureLogProbs:         mapped,
		llm.FeatureLogitBias:        mapped,
		llm.FeatureJSONMode:         mapped,
		llm.FeatureSchemaLoose:      mapped,
		llm.FeatureEffort:           {Action: llm.ActionMapped, Note: "on models that take one"},
		llm.FeatureVerbosity:        mapped,
		llm.FeatureUser:             {Action: llm.ActionMapped, Note: longID},
		llm.FeatureTier:             {Action: llm.ActionMapped, Note: forms.OpenAITiers},
		llm.FeatureCacheKey:         {Action: llm.ActionMapped, Note: longID},
		llm.FeatureMetadata:         {Action: llm.ActionMapped, Note: "of answers that the vendor keeps, as the dialect's own clients can ask; others are dropped"},
	}
	return c
}
