package anthropic

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// fields is the table of request fields that a client may send [asdk:MessageCreateParams, and its beta].
func fields() []dialect.Field {
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "it chooses the route"},
		{Path: "messages", Feature: llm.FeatureCommon, Note: "the conversation itself; see its parts"},
		{Path: "stream", Feature: llm.FeatureCommon, Note: "every dialect streams"},
		{Path: "max_tokens", Feature: llm.FeatureMaxTokens},
		{Path: "system", Feature: llm.FeatureCommon, Note: "the system messages that come first"},
		{Path: "temperature", Feature: llm.FeatureTemperature},
		{Path: "top_p", Feature: llm.FeatureTopP},
		{Path: "top_k", Feature: llm.FeatureTopK},
		{Path: "stop_sequences", Feature: llm.FeatureStop},
		{Path: "anthropic-beta", Severity: llm.Harmless, Note: "a header: features in trial, which only the vendor's models have; what of them is in the body is told by itself"},
		{Path: "cache_control", Feature: llm.FeatureCacheMark},
		{Path: "metadata", Feature: llm.FeatureCommon, Note: "see metadata.user_id"},
		{Path: "metadata.user_id", Feature: llm.FeatureUser},
		{Path: "service_tier", Feature: llm.FeatureTier},
		{Path: "thinking", Feature: llm.FeatureThinkingAdaptive, Note: "type adaptive"},
		{Path: "thinking.budget_tokens", Feature: llm.FeatureThinkingBudget},
		{Path: "thinking.type", Feature: llm.FeatureThinkingOff, Note: "type disabled"},
		{Path: "thinking.display", Feature: llm.FeatureThinkingDisplay},
		{Path: "output_config", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "output_config.effort", Feature: llm.FeatureEffort},
		{Path: "output_config.format", Feature: llm.FeatureJSONSchema},
		{Path: "output_config.task_budget", Severity: llm.Tuning, Note: "a budget for a whole task"},
		{Path: "output_format", Feature: llm.FeatureJSONSchema, Note: "the former name of output_config.format"},
		{Path: "tools", Feature: llm.FeatureTools},
		{Path: "tools[].name", Feature: llm.FeatureCommon, Note: "part of the tool; other names are mapped back"},
		{Path: "tools[].description", Feature: llm.FeatureCommon, Note: "part of the tool"},
		{Path: "tools[].input_schema", Feature: llm.FeatureCommon, Note: "part of the tool"},
		{Path: "tools[].type", Feature: llm.FeatureVendorTool, Note: "any type but custom"},
		{Path: "tools[].strict", Feature: llm.FeatureToolStrict},
		{Path: "tools[].cache_control", Feature: llm.FeatureCacheMark},
		{Path: "tools[].allowed_callers", Severity: llm.Contract, Note: "who may call the tool"},
		{Path: "tools[].defer_loading", Severity: llm.Harmless, Note: "when the model gets to know the tool"},
		{Path: "tools[].eager_input_streaming", Severity: llm.Harmless, Note: "how early arguments are streamed"},
		{Path: "tools[].input_examples", Severity: llm.Tuning, Note: "examples of arguments"},
		{Path: "tool_choice", Feature: llm.FeatureToolChoice},
		{Path: "tool_choice.disable_parallel_tool_use", Feature: llm.FeatureParallelCalls},
		{Path: "messages[].content[].image.source.base64", Feature: llm.FeatureImageData},
		{Path: "messages[].content[].image.source.url", Feature: llm.FeatureImageURL},
		{Path: "messages[].content[].source.file_id", Feature: llm.FeatureFileID},
		{Path: "messages[].content[].document.source.base64", Feature: llm.FeatureDocumentData},
		{Path: "messages[].content[].document.source.url", Feature: llm.FeatureDocumentURL},
		{Path: "messages[].content[].document.source.text", Feature: llm.FeatureDocumentText},
		{Path: "messages[].content[].document.context", Feature: llm.FeatureDocumentContext},
		{Path: "messages[].content[].document.citations", Feature: llm.FeatureDocumentCite},
		{Path: "messages[].content[].thinking", Feature: llm.FeatureThinkingHistory},
		{Path: "messages[].content[].citations", Feature: llm.FeatureCitationHistory},
		{Path: "messages[].content[].tool_result.is_error", Feature: llm.FeatureToolResultError},
		{Path: "messages[].content[].tool_result.content[].image", Feature: llm.FeatureToolResultImage},
		{Path: "messages[].content[].tool_result.content[].document", Feature: llm.FeatureToolResultDoc},
		{Path: "messages[].content", Feature: llm.FeaturePrefill, Note: "of a last message that is the assistant's"},
		{Path: "messages[].content[].caller", Severity: llm.Harmless, Note: "that the vendor's own tool made the call"},
		{Path: "messages[].role", Feature: llm.FeatureSystemPosition, Note: "role system after the conversation began"},
		{Path: "container", Severity: llm.Contract, Absolute: true, Note: "files and state kept by the vendor"},
		{Path: "thread", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "thread.type", Severity: llm.Harmless, Note: "whether the vendor shall keep the conversation; it may always lose it"},
		{
			Path: threadField, Severity: llm.Contract, Absolute: true, Resent: true,
			Note: "a conversation kept by the vendor: send it whole instead",
		},
		{Path: "compaction", Severity: llm.Contract, Note: "the answer shall be a summary that only the vendor makes"},
		{Path: "billing_policy", Severity: llm.Contract, Note: "who is billed by the vendor"},
		{Path: "context_management", Severity: llm.Tuning, Note: "what the vendor removes from a long conversation"},
		{Path: "inference_geo", Severity: llm.Contract, Absolute: true, Note: "where the request may be processed"},
		{Path: "mcp_servers", Severity: llm.Contract, Note: "servers whose tools the vendor runs"},
		{Path: "speed", Severity: llm.Harmless, Note: "a faster service"},
		{Path: "fallbacks", Severity: llm.Tuning, Note: "other models of the vendor"},
		{Path: "fallback_credit_token", Severity: llm.Harmless, Note: "a credit of the vendor"},
		{Path: "diagnostics", Severity: llm.Harmless, Note: "what the vendor tells beside the answer"},
	}
}

// carries says how the provider side carries each feature.
func carries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	c := dialect.Carries{
		llm.FeatureSystemPosition: {Action: llm.ActionMapped, Note: "on models that take it; on others it is marked text in the user's turn"},
		llm.FeaturePrefill:        {Action: llm.ActionMapped, Note: "on models that continue an assistant's message; for others it is refused"},
		llm.FeatureRefusalHistory: {Action: llm.ActionApproximated, Note: "sent as text"},
		llm.FeatureVendorPartText: {Action: llm.ActionApproximated, Note: "said in words"},
		llm.FeatureAllowedTools:   {Action: llm.ActionEmulated, Note: "the other tools are not sent"},
		llm.FeatureJSONMode: {
			Action: llm.ActionApproximated, Severity: llm.Tuning,
			Note: "asked for in words, since the target has no such mode; a JSON Schema would be enforced",
		},
		llm.FeatureSchemaLoose:      {Action: llm.ActionApproximated, Note: "the target always enforces a schema"},
		llm.FeatureTemperature:      {Action: llm.ActionMapped, Note: "above 1 it is lowered to 1; not for models without sampling"},
		llm.FeatureTopP:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopK:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureStop:             {Action: llm.ActionMapped, Note: "not for models that take none"},
		llm.FeatureEffort:           {Action: llm.ActionMapped, Note: "on models that think by effort; others are told a number of tokens"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionMapped, Note: "on models that take a number of tokens; others are told an effort"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionMapped, Note: "on models that have it"},
		llm.FeatureThinkingHistory:  {Action: llm.ActionMapped, Note: "what the target's vendor signed; the rest is dropped"},
		llm.FeatureImageData:        {Action: llm.ActionMapped, Note: "JPEG, PNG, GIF and WebP; other types are refused"},
		llm.FeatureDocumentData:     {Action: llm.ActionMapped, Note: "PDF and plain text; other types are refused"},
		llm.FeatureCacheMark:        {Action: llm.ActionMapped, Note: "the last four"},
		llm.FeatureTier:             {Action: llm.ActionMapped, Note: "auto and default; other tiers are dropped"},
		llm.FeatureUser:             {Action: llm.ActionMapped, Note: "above 512 characters, or like an address or a telephone number, as a hash"},
	}
	for _, f := range []llm.Feature{
		llm.FeatureImageURL, llm.FeatureDocumentURL, llm.FeatureDocumentText, llm.FeatureDocumentContext,
		llm.FeatureDocumentCite, llm.FeatureCitationHistory, llm.FeatureTools, llm.FeatureToolStrict,
		llm.FeatureToolResultImage, llm.FeatureToolResultDoc, llm.FeatureToolResultError, llm.FeatureToolChoice,
		llm.FeatureParallelCalls, llm.FeatureMaxTokens, llm.FeatureJSONSchema,
		llm.FeatureThinkingOff, llm.FeatureThinkingDisplay,
	} {
		c[f] = mapped
	}
	return c
}
