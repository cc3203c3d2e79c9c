package ollama

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// fields is the table of request fields that a client may send [oll:ChatRequest, oll:ModelOptions], with the options that
// servers are documented to take.
func fields() []dialect.Field {
	own := func(path string, s llm.Severity, note string) dialect.Field {
		return dialect.Field{Path: path, Severity: s, Note: note}
	}
	common := func(path, note string) dialect.Field {
		return dialect.Field{Path: path, Feature: llm.FeatureCommon, Note: note}
	}
	is := func(path string, f llm.Feature) dialect.Field { return dialect.Field{Path: path, Feature: f} }
	list := []dialect.Field{
		common("model", "replaced by the target's"),
		common("messages", ""),
		common("stream", "a stream unless it is false"),
		is("messages[].role", llm.FeatureSystemPosition),
		is("messages[].content", llm.FeaturePrefill),
		is("messages[].images", llm.FeatureImageData),
		is("messages[].thinking", llm.FeatureThinkingHistory),
		common("messages[].tool_calls", ""),
		common("messages[].tool_name", ""),
		common("messages[].tool_call_id", ""),
		is("tools", llm.FeatureTools),
		is("format", llm.FeatureJSONSchema),
		is("format.json", llm.FeatureJSONMode),
		is("think", llm.FeatureThinkingAdaptive),
		is("think.false", llm.FeatureThinkingOff),
		is("think.high", llm.FeatureEffort),
		is("logprobs", llm.FeatureLogProbs),
		is("top_logprobs", llm.FeatureLogProbs),
		own("keep_alive", llm.Harmless, "how long the model stays loaded"),
		own("truncate", llm.Tuning, "whether a prompt that is too long is cut"),
		own("shift", llm.Tuning, "whether the beginning is forgotten when the window is full"),
		common("options", ""),
		is("options.num_predict", llm.FeatureMaxTokens),
		is("options.temperature", llm.FeatureTemperature),
		is("options.top_p", llm.FeatureTopP),
		is("options.top_k", llm.FeatureTopK),
		is("options.frequency_penalty", llm.FeatureFrequencyPenalty),
		is("options.presence_penalty", llm.FeaturePresencePenalty),
		is("options.seed", llm.FeatureSeed),
		is("options.stop", llm.FeatureStop),
	}
	for _, sampler := range [...]string{"min_p", "typical_p", "repeat_penalty", "repeat_last_n", "tfs_z", "mirostat", "mirostat_tau", "mirostat_eta", "penalize_newline"} {
		list = append(list, own("options."+sampler, llm.Tuning, "a way of sampling"))
	}
	for _, runner := range [...]string{"num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "use_mlock", "numa", "low_vram", "vocab_only", "f16_kv"} {
		list = append(list, own("options."+runner, llm.Harmless, "how the server runs the model"))
	}
	return list
}

// carries says how the provider side carries each feature.
func carries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	return dialect.Carries{
		llm.FeatureSystemPosition:   mapped,
		llm.FeaturePrefill:          {Action: llm.ActionMapped, Note: "a last message of the assistant's is continued"},
		llm.FeatureThinkingHistory:  {Action: llm.ActionMapped, Note: "what nobody signed; what another vendor signed is dropped"},
		llm.FeatureRefusalHistory:   {Action: llm.ActionApproximated, Note: "sent as text"},
		llm.FeatureVendorPartText:   {Action: llm.ActionApproximated, Note: "said in words"},
		llm.FeatureDocumentText:     {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "as text, with its title around it"},
		llm.FeatureDocumentContext:  {Action: llm.ActionApproximated, Note: "as text beside the document"},
		llm.FeatureToolResultDoc:    {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "as text"},
		llm.FeatureToolResultImage:  {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "in a user message after the results"},
		llm.FeatureToolResultError:  {Action: llm.ActionApproximated, Note: `by the word "Error:" before the result`},
		llm.FeatureToolChoice:       {Action: llm.ActionEmulated, Note: "none, by not sending the tools; a call cannot be forced"},
		llm.FeatureAllowedTools:     {Action: llm.ActionEmulated, Note: "only the allowed tools are sent"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionApproximated, Note: "as a level: below 4096 low, below 16384 medium, else high"},
		llm.FeatureThinkingDisplay:  {Action: llm.ActionDropped, Note: "the dialect has no switch for it"},
		llm.FeatureSchemaLoose:      {Action: llm.ActionApproximated, Note: "the target always enforces a schema"},
		llm.FeatureEffort:           {Action: llm.ActionMapped, Note: "low, medium, high and max; the nearest lower of others"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionMapped, Note: "without an effort"},
		llm.FeatureThinkingOff:      {Action: llm.ActionMapped, Note: "on models that have a switch for it"},
		llm.FeatureImageData:        mapped,
		llm.FeatureTools:            mapped,
		llm.FeatureMaxTokens:        mapped,
		llm.FeatureTemperature:      {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopP:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopK:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureFrequencyPenalty: mapped,
		llm.FeaturePresencePenalty:  mapped,
		llm.FeatureSeed:             mapped,
		llm.FeatureStop:             {Action: llm.ActionMapped, Note: "not for models that take none"},
		llm.FeatureLogProbs:         mapped,
		llm.FeatureJSONMode:         mapped,
		llm.FeatureJSONSchema:       mapped,
	}
}
