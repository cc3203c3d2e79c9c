package bedrock

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// fields is the table of request fields that a client may send [bed:ConverseRequest, bed:ConverseStreamRequest].
func fields() []dialect.Field {
	return []dialect.Field{
		{Path: "modelId", Feature: llm.FeatureCommon, Note: "in the path; it chooses the route"},
		{Path: "messages", Feature: llm.FeatureCommon, Note: "the conversation itself; see its parts"},
		{Path: "system", Feature: llm.FeatureCommon, Note: "the system messages that come first"},
		{Path: "system[].text", Feature: llm.FeatureCommon, Note: "part of the system prompt"},
		{Path: "inferenceConfig", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "inferenceConfig.maxTokens", Feature: llm.FeatureMaxTokens},
		{Path: "inferenceConfig.temperature", Feature: llm.FeatureTemperature},
		{Path: "inferenceConfig.topP", Feature: llm.FeatureTopP},
		{Path: "inferenceConfig.stopSequences", Feature: llm.FeatureStop},
		{Path: "toolConfig", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "toolConfig.tools", Feature: llm.FeatureTools},
		{Path: "toolConfig.tools[].toolSpec", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "toolConfig.tools[].toolSpec.name", Feature: llm.FeatureCommon, Note: "part of the tool; other names are mapped back"},
		{Path: "toolConfig.tools[].toolSpec.description", Feature: llm.FeatureCommon, Note: "part of the tool"},
		{Path: "toolConfig.tools[].toolSpec.inputSchema", Feature: llm.FeatureCommon, Note: "part of the tool"},
		{Path: "toolConfig.tools[].toolSpec.strict", Feature: llm.FeatureToolStrict},
		{Path: "toolConfig.tools[].systemTool", Feature: llm.FeatureVendorTool},
		{Path: "toolConfig.toolChoice", Feature: llm.FeatureToolChoice},
		{Path: "outputConfig", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "outputConfig.textFormat", Feature: llm.FeatureJSONSchema},
		{Path: "outputConfig.effort", Feature: llm.FeatureEffort},
		{Path: "additionalModelRequestFields", Feature: llm.FeatureCommon, Note: "see its members; others are lost one by one"},
		{Path: "additionalModelRequestFields.top_k", Feature: llm.FeatureTopK, Note: "topK or k where the model's maker calls it so"},
		{Path: "additionalModelRequestFields.thinking", Feature: llm.FeatureThinkingAdaptive, Note: "type adaptive"},
		{Path: "additionalModelRequestFields.thinking.budget_tokens", Feature: llm.FeatureThinkingBudget},
		{Path: "additionalModelRequestFields.thinking.type", Feature: llm.FeatureThinkingOff, Note: "type disabled"},
		{Path: "additionalModelRequestFields.thinking.display", Feature: llm.FeatureThinkingDisplay},
		{Path: "additionalModelRequestFields.anthropic_beta", Severity: llm.Tuning, Note: "features of the model's maker in trial"},
		{Path: "additionalModelResponseFieldPaths", Severity: llm.Harmless, Note: "what else of the model's own answer is told"},
		{Path: "serviceTier", Feature: llm.FeatureTier},
		{Path: "guardrailConfig", Severity: llm.Contract, Absolute: true, Note: "a safety control"},
		{Path: "promptVariables", Severity: llm.Contract, Absolute: true, Note: "a prompt that the vendor keeps"},
		{Path: "requestMetadata", Feature: llm.FeatureMetadata},
		{Path: "requestMetadata[]", Severity: llm.Harmless, Note: "a label that is no text"},
		{Path: "performanceConfig", Severity: llm.Harmless, Note: "a faster service"},
		{Path: "system[].cachePoint", Feature: llm.FeatureCacheMark, Note: "also in messages and tools"},
		{Path: "system[].guardContent", Feature: llm.FeatureVendorPart, Note: "also in messages"},
		{Path: "messages[].role", Feature: llm.FeatureSystemPosition, Note: "role system after the conversation began"},
		{Path: "messages[].content", Feature: llm.FeaturePrefill, Note: "of a last message that is the assistant's"},
		{Path: "messages[].content[].image", Feature: llm.FeatureImageData},
		{Path: "messages[].content[].audio", Feature: llm.FeatureAudio},
		{Path: "messages[].content[].video", Feature: llm.FeatureVendorPart},
		{Path: "messages[].content[].source.s3Location", Feature: llm.FeatureFileID},
		{Path: "messages[].content[].document", Feature: llm.FeatureDocumentData},
		{Path: "messages[].content[].document.source.text", Feature: llm.FeatureDocumentText},
		{Path: "messages[].content[].document.context", Feature: llm.FeatureDocumentContext},
		{Path: "messages[].content[].document.citations", Feature: llm.FeatureDocumentCite},
		{Path: "messages[].content[].toolResult.status", Feature: llm.FeatureToolResultError},
		{Path: "messages[].content[].toolResult.content[].image", Feature: llm.FeatureToolResultImage},
		{Path: "messages[].content[].toolResult.content[].document", Feature: llm.FeatureToolResultDoc},
		{Path: "messages[].content[].reasoningContent", Feature: llm.FeatureThinkingHistory},
		{Path: "messages[].content[].citationsContent", Feature: llm.FeatureCitationHistory},
		{Path: "messages[].content[].searchResult", Feature: llm.FeatureVendorPartText, Note: "also what tools of the vendor called and answered"},
		{Path: "messages[].content[].error", Severity: llm.Harmless, Note: "that a file could not be read"},
		{Path: "messages[].content[].source.bucketOwner", Severity: llm.Harmless, Note: "part of a place in S3"},
		{Path: "messages[].content[].format", Severity: llm.Harmless, Note: "what a document that is given as text once was"},
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
		llm.FeatureToolChoice: {
			Action: llm.ActionMapped,
			Note:   "there is no choice none: the tools are not sent, or, if the history uses some, the model is asked in words",
		},
		llm.FeatureJSONMode: {
			Action: llm.ActionApproximated, Severity: llm.Tuning,
			Note: "asked for in words, since the target has no such mode; a JSON Schema would be enforced",
		},
		llm.FeatureSchemaLoose:      {Action: llm.ActionApproximated, Note: "the target always enforces a schema"},
		llm.FeatureTemperature:      {Action: llm.ActionMapped, Note: "above 1 it is lowered to 1; not for models without sampling"},
		llm.FeatureTopP:             {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureStop:             {Action: llm.ActionMapped, Note: "not for models that take none"},
		llm.FeatureEffort:           {Action: llm.ActionMapped, Note: "on models that think by effort; others are told a number of tokens, or decide by themselves"},
		llm.FeatureTopK:             {Action: llm.ActionMapped, Note: "on models that have it"},
		llm.FeatureThinkingHistory:  {Action: llm.ActionMapped, Note: "what the target's vendor signed; the rest is dropped"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionMapped, Note: "on models that take a number of tokens; others are told an effort"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionMapped, Note: "on models that have it"},
		llm.FeatureThinkingOff:      {Action: llm.ActionMapped, Note: "on models that have a switch for it"},
		llm.FeatureThinkingDisplay:  {Action: llm.ActionMapped, Note: "on models that have a switch for it"},
		llm.FeatureImageData:        {Action: llm.ActionMapped, Note: "JPEG, PNG, GIF and WebP; other types are refused"},
		llm.FeatureDocumentData:     {Action: llm.ActionMapped, Note: "PDF, Word, Excel, HTML, Markdown, CSV and other text; other types are refused"},
		llm.FeatureAudio:            {Action: llm.ActionMapped, Note: "in the formats that the vendor reads"},
		llm.FeatureFileID:           {Action: llm.ActionMapped, Note: "the dialect's own, which are places in S3; others are refused"},
		llm.FeatureCitationHistory:  {Action: llm.ActionMapped, Note: "the dialect's own; others are dropped"},
		llm.FeatureCacheMark:        {Action: llm.ActionMapped, Note: "the last four, on models that have a prompt cache"},
		llm.FeatureTier:             {Action: llm.ActionMapped, Note: "default, priority, flex and reserved, and auto by saying nothing; other tiers are dropped"},
		llm.FeatureMetadata:         {Action: llm.ActionMapped, Note: "16 labels of up to 256 letters, digits, spaces and some marks"},
	}
	for _, f := range []llm.Feature{
		llm.FeatureDocumentText, llm.FeatureDocumentContext, llm.FeatureDocumentCite, llm.FeatureTools, llm.FeatureToolStrict,
		llm.FeatureToolResultImage, llm.FeatureToolResultDoc, llm.FeatureToolResultError, llm.FeatureMaxTokens,
		llm.FeatureJSONSchema,
	} {
		c[f] = mapped
	}
	return c
}
