package gemini

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeRequestRefuses(t *testing.T) {
	for _, c := range []struct{ body, param, message string }{
		{`{}`, "contents", "contents is not specified"},
		{`{"contents":[]}`, "contents", "contents is not specified"},
		{`{"contents":"hi"}`, "contents", "want array, got string"},
		{`{"contents":[{"role":"assistant","parts":[{"text":"x"}]}]}`, "contents[0].role", "please use a valid role"},
		{`{"contents":[{"role":"user"}]}`, "contents[0].parts", "at least one part"},
		{`{"contents":[{"role":"user","parts":[{}]}]}`, "contents[0].parts[0]", "want one of text"},
		{`{"contents":[{"role":"user","parts":[{"text":7}]}]}`, "contents[0].parts[0].text", "want string, got number"},
		{`{"contents":[{"role":"user","parts":[{"functionCall":{"name":"f"}}]}]}`, "contents[0].parts[0]", "a model's content"},
		{`{"contents":[{"role":"model","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`, "contents[0].parts[0]", "a user's content"},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{"args":{}}}]}]}`, "contents[0].parts[0].functionCall.name", "the function's name"},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]}]}`, "contents[0].parts[0].functionCall.args", "want object"},
		{`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":"x"}}]}]}`, "contents[0].parts[0].functionResponse.response", "want object"},
		{`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"!"}}]}]}`, "contents[0].parts[0].inlineData.data", "base64"},
		{`{"contents":[{"parts":[{"fileData":{"mimeType":"image/png"}}]}]}`, "contents[0].parts[0].fileData.fileUri", "want string"},
		{`{"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aaaa"}}]},"contents":[` + hi + `]}`, "systemInstruction.parts[0]", "text only"},
		{`{"systemInstruction":{"parts":[]},"system_instruction":{"parts":[]},"contents":[` + hi + `]}`, "system_instruction", "given as systeminstruction too"},
		{`{"generationConfig":{"temperature":3},"contents":[` + hi + `]}`, "generationConfig.temperature", "0 to 2"},
		{`{"generationConfig":{"maxOutputTokens":-1},"contents":[` + hi + `]}`, "generationConfig.maxOutputTokens", "0 or more"},
		{`{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HUGE"}},"contents":[` + hi + `]}`, "generationConfig.thinkingConfig.thinkingLevel", "huge"},
		{`{"generationConfig":{"responseSchema":[]},"contents":[` + hi + `]}`, "generationConfig.responseSchema", "want object"},
		{`{"tools":[{"functionDeclarations":[{}]}],"contents":[` + hi + `]}`, "tools[0].functionDeclarations[0].name", "name"},
		{`{"toolConfig":{"functionCallingConfig":{"mode":"SOME"}},"contents":[` + hi + `]}`, "toolConfig.functionCallingConfig.mode", "some"},
		{`[]`, "", "object"},
	} {
		_, err := New().Client.DecodeRequest([]byte(c.body))
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *llm.Error", c.body, err)
			continue
		}
		if e.Code != llm.CodeInvalidRequest || e.Origin != llm.OriginClient || e.Param != c.param || !strings.Contains(strings.ToLower(e.Message), c.message) {
			t.Errorf("%s: got %+v want param %q and a message with %q", c.body, e, c.param, c.message)
		}
	}
}

// TestDecodeSpellings says the same in camelCase and in snake_case, and with single elements for lists.
func TestDecodeSpellings(t *testing.T) {
	camelCase := mustDecode(t, `"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"`+png+`"}}]},`+
		`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"x_y":1}},"thoughtSignature":"c2ln"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":1}}}]}],`+
		`"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},`+
		`"generationConfig":{"maxOutputTokens":9,"stopSequences":["x"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"includeThoughts":true,"thinkingBudget":7}}`)
	snakeCase := mustDecode(t, `"system_instruction":{"parts":{"text":"s"}},"contents":[{"role":"user","parts":[{"text":"a"},{"inline_data":{"mime_type":"image/png","data":"`+png+`"}}]},`+
		`{"role":"model","parts":{"function_call":{"name":"f","args":{"x_y":1}},"thought_signature":"c2ln"}},{"role":"function","parts":[{"function_response":{"name":"f","response":{"result":1}}}]}],`+
		`"tools":{"function_declarations":{"name":"f","parameters_json_schema":{"type":"object"}},"google_search":{}},"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}},`+
		`"generation_config":{"max_output_tokens":9,"stop_sequences":["x"],"response_mime_type":"application/json","response_json_schema":{"type":"object"},"thinking_config":{"include_thoughts":true,"thinking_budget":7}}`)
	got, wanted := encode(t, snakeCase, llm.ModelFacts{}), encode(t, camelCase, llm.ModelFacts{})
	if string(got.Body) != string(wanted.Body) || strings.Contains(strings.ReplaceAll(string(got.Body), "x_y", ""), "_c") {
		t.Errorf("T133: got\n%s\nwant\n%s", got.Body, wanted.Body)
	}
	want(t, got.Body, "generationConfig", `{"maxOutputTokens":9,"stopSequences":["x"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}}`)
}

func TestDecodeWhatOnlyThisDialectHas(t *testing.T) {
	req := mustDecode(t, `"cachedContent":"cachedContents/x","labels":{"a":"b"},"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_LOW_AND_ABOVE"}],`+
		`"generationConfig":{"responseModalities":["TEXT","IMAGE"],"speechConfig":{"languageCode":"de-DE"},"responseFormat":{"audio":{}}},`+
		`"toolConfig":{"retrievalConfig":{"languageCode":"de"}},"tools":[{"functionDeclarations":[{"name":"f","response":{"type":"STRING"}}]}],`+
		`"contents":[{"parts":[{"text":"x","partMetadata":{"a":1}}]}]`)
	from := New()
	got := lossNames(dialect.Contract(from, &dialect.Dialect{Name: "other", Carries: from.Carries}, req))
	for _, loss := range []string{
		"cachedContent=refused(contract)", "labels=dropped(harmless)", "safetySettings[].threshold=refused(contract)",
		"generationConfig.responseModalities=refused(contract)", "generationConfig.speechConfig=refused(contract)",
		"generationConfig.responseFormat=refused(contract)", "toolConfig.retrievalConfig=dropped(tuning)",
		"tools[].functionDeclarations[].response=dropped(harmless)", "contents[].parts[].partMetadata=dropped(harmless)",
	} {
		if !strings.Contains(got, loss) {
			t.Errorf("got losses %s want %s among them", got, loss)
		}
	}
	body := encode(t, req, llm.ModelFacts{}).Body
	want(t, body, "cachedContent", `"cachedContents/x"`)
	want(t, body, "safetySettings", `[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_LOW_AND_ABOVE"}]`)
	want(t, body, "generationConfig", `{"responseModalities":["TEXT","IMAGE"],"speechConfig":{"languageCode":"de-DE"},"responseFormat":{"audio":{}}}`)
	want(t, body, "toolConfig", `{"retrievalConfig":{"languageCode":"de"}}`)
	want(t, body, "contents", `[{"role":"user","parts":[{"text":"x","partMetadata":{"a":1}}]}]`)
	loose := mustDecode(t, `"safetySettings":[{"threshold":"BLOCK_NONE"}],"generationConfig":{"responseModalities":["Text"]}`)
	if got := lossNames(dialect.Contract(from, &dialect.Dialect{Name: "other"}, loose)); got != "safetySettings=dropped(harmless)" {
		t.Errorf("got %s, want settings that block nothing to matter little", got)
	}
}
