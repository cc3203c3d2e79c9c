package gemini

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// fields is the table of request fields that a client may send [gem:GenerateContentRequest, vtx:GenerateContentRequest].
// Members are named in camelCase; the vendor takes snake_case too.
func fields() []dialect.Field {
	own := func(path string, severity llm.Severity, note string) dialect.Field {
		return dialect.Field{Path: path, Severity: severity, Note: note}
	}
	never := func(path, note string) dialect.Field {
		return dialect.Field{Path: path, Severity: llm.Contract, Absolute: true, Note: note}
	}
	const (
		config = "generationConfig."
		part   = "contents[].parts[]."
	)
	return []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon, Note: "the path's counts, which chooses the route"},
		{Path: "x-vertex-ai-llm-request-type", Severity: llm.Harmless, Note: "a header: which of the vendor's capacities may be used"},
		{Path: "x-vertex-ai-llm-shared-request-type", Severity: llm.Harmless, Note: "a header: which of the vendor's capacities may be used"},
		{Path: "contents", Feature: llm.FeatureCommon, Note: "the conversation itself; see its parts"},
		{Path: "systemInstruction", Feature: llm.FeatureCommon, Note: "the system messages that come first"},
		{Path: "contents[].role", Feature: llm.FeaturePrefill, Note: "of a last content that is the model's"},
		{Path: part + "inlineData", Feature: llm.FeatureImageData, Note: "of an image"},
		{Path: part + "inlineData.mimeType", Feature: llm.FeatureDocumentData, Note: "of a document"},
		{Path: part + "inlineData.audio", Feature: llm.FeatureAudio, Note: "type audio"},
		{Path: part + "inlineData.text", Feature: llm.FeatureDocumentText, Note: "type text"},
		{Path: part + "fileData", Feature: llm.FeatureImageURL, Note: "of an image at a public address"},
		{Path: part + "fileData.mimeType", Feature: llm.FeatureDocumentURL, Note: "of a document at a public address"},
		{Path: part + "fileData.fileUri", Feature: llm.FeatureFileID, Note: "a file that the vendor keeps"},
		{Path: part + "thought", Feature: llm.FeatureThinkingHistory, Note: "and the signatures on other parts"},
		{Path: part + "executableCode", Feature: llm.FeatureVendorPartText, Note: "code that the vendor ran, its output, and calls of its own tools"},
		{Path: part + "inlineData.video", Feature: llm.FeatureVendorPart, Note: "type video"},
		{Path: part + "functionCall", Feature: llm.FeatureCommon, Note: "a call of a tool"},
		{Path: part + "functionCall.id", Feature: llm.FeatureCommon, Note: "made where it is missing"},
		{Path: part + "functionResponse", Feature: llm.FeatureCommon, Note: "the result of a call"},
		{Path: part + "functionResponse.id", Feature: llm.FeatureCommon, Note: "found by name and order where it is missing"},
		{Path: part + "functionResponse.response.error", Feature: llm.FeatureToolResultError, Note: "as its only member"},
		{Path: part + "functionResponse.parts", Feature: llm.FeatureToolResultImage},
		{Path: part + "functionResponse.parts[].inlineData", Feature: llm.FeatureToolResultDoc, Note: "of a document"},
		own(part+"functionResponse.response", llm.Harmless, "an object of the client's own goes as JSON text"),
		own(part+"functionResponse.scheduling", llm.Harmless, "for calls that do not block"),
		own(part+"functionResponse.willContinue", llm.Tuning, "that more results will follow"),
		own(part+"partMetadata", llm.Harmless, "what the client notes on a part"),
		{Path: part + keyResolution + ".level", Feature: llm.FeatureImageDetail, Note: "low or high, of an image"},
		own(part+keyResolution, llm.Harmless, "how closely to look at a file"),
		own(part+"mediaProcessing", llm.Harmless, "how a video is looked at"),
		own(part+"videoMetadata", llm.Harmless, "said of what is no video"),
		own(part+"thoughtSignature", llm.Harmless, "the vendor's signature on a file"),

		{Path: "tools", Feature: llm.FeatureTools},
		{Path: "tools[].functionDeclarations", Feature: llm.FeatureCommon, Note: "the tools themselves"},
		{Path: "tools[].functionDeclarations[].name", Feature: llm.FeatureCommon, Note: "part of the tool; other names are mapped back"},
		{Path: "tools[].functionDeclarations[].description", Feature: llm.FeatureCommon, Note: "part of the tool"},
		{Path: "tools[].functionDeclarations[].parameters", Feature: llm.FeatureCommon, Note: "part of the tool; read as JSON Schema"},
		{Path: "tools[].functionDeclarations[].parametersJsonSchema", Feature: llm.FeatureCommon, Note: "part of the tool"},
		own("tools[].functionDeclarations[].response", llm.Harmless, "what the function returns"),
		own("tools[].functionDeclarations[].responseJsonSchema", llm.Harmless, "what the function returns"),
		own("tools[].functionDeclarations[].behavior", llm.Harmless, "for the live API"),
		{Path: "tools[]", Feature: llm.FeatureVendorTool, Note: "tools that the vendor runs, such as googleSearch"},
		{Path: "toolConfig", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "toolConfig.functionCallingConfig", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: "toolConfig.functionCallingConfig.mode", Feature: llm.FeatureToolChoice},
		{Path: "toolConfig.functionCallingConfig.mode.VALIDATED", Feature: llm.FeatureToolStrict},
		{Path: "toolConfig.functionCallingConfig.allowedFunctionNames", Feature: llm.FeatureAllowedTools},
		own("toolConfig.functionCallingConfig.streamFunctionCallArguments", llm.Harmless, "how calls are streamed"),
		own("toolConfig.includeServerSideToolInvocations", llm.Harmless, "whether calls of the vendor's own tools are shown"),
		own("toolConfig.retrievalConfig", llm.Tuning, "where the user is, and the language"),

		{Path: "generationConfig", Feature: llm.FeatureCommon, Note: "see its members"},
		{Path: config + "maxOutputTokens", Feature: llm.FeatureMaxTokens},
		{Path: config + "temperature", Feature: llm.FeatureTemperature},
		{Path: config + "topP", Feature: llm.FeatureTopP},
		{Path: config + "topK", Feature: llm.FeatureTopK},
		{Path: config + "frequencyPenalty", Feature: llm.FeatureFrequencyPenalty},
		{Path: config + "presencePenalty", Feature: llm.FeaturePresencePenalty},
		{Path: config + "seed", Feature: llm.FeatureSeed},
		{Path: config + "candidateCount", Feature: llm.FeatureChoices},
		{Path: config + "stopSequences", Feature: llm.FeatureStop},
		{Path: config + "responseLogprobs", Feature: llm.FeatureLogProbs},
		{Path: config + "logprobs", Feature: llm.FeatureLogProbs},
		{Path: config + "responseMimeType", Feature: llm.FeatureJSONMode},
		{Path: config + "responseJsonSchema", Feature: llm.FeatureJSONSchema},
		{Path: config + "responseSchema", Feature: llm.FeatureJSONSchema, Note: "read as JSON Schema"},
		never(config+"responseFormat", "an answer that is no text"),
		never(config+"responseModalities", "an answer that is no text"),
		{Path: config + "thinkingConfig", Feature: llm.FeatureThinkingAdaptive, Note: "thinkingBudget -1"},
		{Path: config + "thinkingConfig.thinkingBudget", Feature: llm.FeatureThinkingBudget},
		{Path: config + "thinkingConfig.thinkingLevel", Feature: llm.FeatureEffort},
		{Path: config + "thinkingConfig.thinkingBudget.0", Feature: llm.FeatureThinkingOff},
		{Path: config + "thinkingConfig.includeThoughts", Feature: llm.FeatureThinkingDisplay},
		own(config+"speechConfig", llm.Contract, "the voice of an answer that is spoken"),
		own(config+"imageConfig", llm.Contract, "the form of an answer that is an image"),
		own(config+"audioTranscriptionConfig", llm.Contract, "a transcript of the audio"),
		own(config+"translationConfig", llm.Contract, "a translation of the audio"),
		own(config+"mediaResolution", llm.Harmless, "how closely to look at files"),
		own(config+"audioTimestamp", llm.Tuning, "timestamps in what is heard"),
		own(config+"enableAffectiveDialog", llm.Tuning, "that emotions are heard"),
		own(config+"enableEnhancedCivicAnswers", llm.Tuning, "a kind of answers"),
		own(config+"routingConfig", llm.Tuning, "which of the vendor's models answers"),
		{Path: "serviceTier", Feature: llm.FeatureTier},
		own("safetySettings", llm.Harmless, "thresholds that block little or nothing"),
		own("safetySettings[].threshold", llm.Contract, "a threshold that blocks more than what is likely harmful"),
		never("cachedContent", "a part of the prompt that the vendor keeps"),
		never("modelArmorConfig", "a safety control of the vendor's"),
		own("labels", llm.Harmless, "for the bill"),
		own("store", llm.Harmless, "what the vendor logs"),
	}
}

// carries says how the provider side carries each feature.
func carries() dialect.Carries {
	mapped := dialect.Carriage{Action: llm.ActionMapped}
	c := dialect.Carries{
		llm.FeatureSystemPosition:  {Action: llm.ActionApproximated, Note: "as marked text in the user's turn"},
		llm.FeaturePrefill:         {Action: llm.ActionRefused, Note: "models do not reliably continue a last turn of their own"},
		llm.FeatureRefusalHistory:  {Action: llm.ActionApproximated, Note: "sent as text"},
		llm.FeatureVendorPartText:  {Action: llm.ActionApproximated, Note: "said in words"},
		llm.FeatureThinkingHistory: {Action: llm.ActionMapped, Note: "what the target's vendor signed; the rest is dropped"},
		llm.FeatureDocumentText:    {Action: llm.ActionApproximated, Severity: llm.Tuning, Note: "with a title or a context as text, these around it"},
		llm.FeatureDocumentContext: {Action: llm.ActionApproximated, Note: "as text around the document"},
		llm.FeatureImageURL:        {Action: llm.ActionMapped, Note: "the vendor fetches public addresses"},
		llm.FeatureDocumentURL:     {Action: llm.ActionMapped, Note: "the vendor fetches public addresses"},
		llm.FeatureToolResultImage: {Action: llm.ActionMapped, Note: "bytes, on models that think by level; else in a user's turn after the results"},
		llm.FeatureToolResultDoc:   {Action: llm.ActionMapped, Note: "bytes, on models that think by level; else in a user's turn after the results"},
		llm.FeatureToolStrict:      {Action: llm.ActionMapped, Note: "for all tools of the request"},
		llm.FeatureTemperature:     {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopP:            {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureTopK:            {Action: llm.ActionMapped, Note: "not for models without sampling"},
		llm.FeatureStop:            {Action: llm.ActionMapped, Note: "at most 5"},
		llm.FeatureSeed:            {Action: llm.ActionMapped, Note: "32 bits of it"},
		llm.FeatureJSONMode:        {Action: llm.ActionMapped, Note: "not beside tools on models that think by budget"},
		llm.FeatureJSONSchema: {
			Action: llm.ActionMapped,
			Note:   "keywords that the vendor refuses are said in descriptions; not beside tools on models that think by budget",
		},
		llm.FeatureSchemaLoose:      {Action: llm.ActionApproximated, Note: "the target always enforces a schema"},
		llm.FeatureEffort:           {Action: llm.ActionMapped, Note: "as a level, low for minimal and high for more, or as a budget where models take one"},
		llm.FeatureThinkingBudget:   {Action: llm.ActionMapped, Note: "on models that take one; else below 4096 low, below 16384 medium, else high"},
		llm.FeatureThinkingAdaptive: {Action: llm.ActionEmulated, Note: "models decide by themselves"},
		llm.FeatureThinkingOff:      {Action: llm.ActionMapped, Note: "on models that take a budget; others are told to think little"},
		llm.FeatureImageDetail:      {Action: llm.ActionMapped, Note: "low and high, on models that are known to think by level; else dropped"},
		llm.FeatureTier:             {Action: llm.ActionMapped, Note: "standard, flex and priority, and auto by saying nothing; other tiers are dropped"},
	}
	for _, f := range []llm.Feature{
		llm.FeatureImageData, llm.FeatureDocumentData, llm.FeatureAudio, llm.FeatureTools, llm.FeatureToolResultError,
		llm.FeatureToolChoice, llm.FeatureAllowedTools, llm.FeatureMaxTokens,
		llm.FeatureFrequencyPenalty, llm.FeaturePresencePenalty, llm.FeatureChoices, llm.FeatureLogProbs,
		llm.FeatureThinkingDisplay,
	} {
		c[f] = mapped
	}
	return c
}
