package llm

// Used lists the features that r asks for, each once, in a fixed order. The loss
// contract is held against this list before a request is sent.
func Used(r *Request) []Feature {
	var u useSet
	for i := range r.Messages {
		u.message(r, i)
	}
	if r.Embed != nil {
		u.embed(r.Embed)
	}
	if r.Rerank != nil {
		u.rerank(r.Rerank)
	}
	u.tools(r)
	u.sampling(r)
	u.format(r)
	u.reasoning(r.Reasoning)
	u.addIf(r.Verbosity != "", FeatureVerbosity)
	u.addIf(r.User != "", FeatureUser)
	u.addIf(r.Tier != "", FeatureTier)
	u.addIf(len(r.Metadata) > 0, FeatureMetadata)
	u.addIf(r.CacheKey != "", FeatureCacheKey)
	u.addIf(r.Cache != nil, FeatureCacheMark)
	return u.list
}

type useSet struct{ list []Feature }

func (u *useSet) addIf(used bool, f Feature) {
	if !used {
		return
	}
	for _, have := range u.list {
		if have == f {
			return
		}
	}
	u.list = append(u.list, f)
}

func (u *useSet) message(r *Request, i int) {
	m := &r.Messages[i]
	u.addIf(m.Name != "", FeatureMessageName)
	if m.Role == RoleSystem || m.Role == RoleDeveloper {
		for _, before := range r.Messages[:i] {
			u.addIf(before.Role != RoleSystem && before.Role != RoleDeveloper, FeatureSystemPosition)
		}
	}
	u.addIf(m.Role == RoleAssistant && i == len(r.Messages)-1, FeaturePrefill)
	for j := range m.Parts {
		u.part(&m.Parts[j], false)
	}
}

func (u *useSet) part(p *Part, inResult bool) {
	u.addIf(p.Cache != nil, FeatureCacheMark)
	u.addIf(len(p.Citations) > 0, FeatureCitationHistory)
	switch p.Kind {
	case PartText, PartToolCall:
	case PartRefusal:
		u.addIf(true, FeatureRefusalHistory)
	case PartThinking:
		u.addIf(true, FeatureThinkingHistory)
	case PartImage:
		u.addIf(inResult, FeatureToolResultImage)
		u.addIf(p.Media.Detail != "", FeatureImageDetail)
		u.media(p.Media, FeatureImageData, FeatureImageURL)
	case PartDocument:
		u.addIf(inResult, FeatureToolResultDoc)
		if p.Media != nil {
			u.media(p.Media, FeatureDocumentData, FeatureDocumentURL)
		}
		if d := p.Document; d != nil {
			u.addIf(d.Text != "" || len(d.Parts) > 0, FeatureDocumentText)
			u.addIf(d.Context != "", FeatureDocumentContext)
			u.addIf(d.Citations != nil && *d.Citations, FeatureDocumentCite)
			for i := range d.Parts {
				u.part(&d.Parts[i], inResult)
			}
		}
	case PartAudio:
		u.addIf(true, FeatureAudio)
	case PartToolResult:
		u.addIf(p.Result.Error, FeatureToolResultError)
		for i := range p.Result.Parts {
			u.part(&p.Result.Parts[i], true)
		}
	case PartOpaque:
		u.addIf(p.Text == "", FeatureVendorPart)
		u.addIf(p.Text != "", FeatureVendorPartText)
	}
}

func (u *useSet) media(m *Media, data, url Feature) {
	u.addIf(m.Data != "", data)
	u.addIf(m.URL != "", url)
	u.addIf(m.FileID != "", FeatureFileID)
}

func (u *useSet) tools(r *Request) {
	for i := range r.Tools {
		t := &r.Tools[i]
		u.addIf(t.Opaque == nil, FeatureTools)
		u.addIf(t.Opaque != nil, FeatureVendorTool)
		u.addIf(t.Strict != nil && *t.Strict, FeatureToolStrict)
		u.addIf(t.Cache != nil, FeatureCacheMark)
	}
	switch r.ToolChoice.Mode {
	case ChoiceNone, ChoiceRequired, ChoiceNamed:
		u.addIf(true, FeatureToolChoice)
	case ChoiceUnset, ChoiceAuto:
	}
	u.addIf(r.ToolChoice.Mode != ChoiceNamed && len(r.ToolChoice.Names) > 0, FeatureAllowedTools)
	u.addIf(r.ParallelCalls != nil && !*r.ParallelCalls, FeatureParallelCalls)
}

func (u *useSet) sampling(r *Request) {
	u.addIf(r.MaxTokens != nil, FeatureMaxTokens)
	u.addIf(r.Temperature != nil, FeatureTemperature)
	u.addIf(r.TopP != nil, FeatureTopP)
	u.addIf(r.TopK != nil, FeatureTopK)
	u.addIf(r.FrequencyPenalty != nil && *r.FrequencyPenalty != 0, FeatureFrequencyPenalty)
	u.addIf(r.PresencePenalty != nil && *r.PresencePenalty != 0, FeaturePresencePenalty)
	u.addIf(r.Seed != nil, FeatureSeed)
	u.addIf(r.N > 1, FeatureChoices)
	u.addIf(len(r.Stop) > 0, FeatureStop)
	u.addIf(r.LogProbs || r.TopLogProbs != nil && *r.TopLogProbs > 0, FeatureLogProbs)
	u.addIf(len(r.LogitBias) > 0, FeatureLogitBias)
}

func (u *useSet) format(r *Request) {
	if r.Format == nil {
		return
	}
	u.addIf(r.Format.Kind == FormatJSON, FeatureJSONMode)
	u.addIf(r.Format.Kind == FormatSchema, FeatureJSONSchema)
	u.addIf(r.Format.Kind == FormatSchema && (r.Format.Strict == nil || !*r.Format.Strict), FeatureSchemaLoose)
}

func (u *useSet) reasoning(r *Reasoning) {
	if r == nil {
		return
	}
	u.addIf(r.Effort != "", FeatureEffort)
	u.addIf(r.Mode == ReasoningBudget, FeatureThinkingBudget)
	u.addIf(r.Mode == ReasoningAdaptive, FeatureThinkingAdaptive)
	u.addIf(r.Mode == ReasoningOff, FeatureThinkingOff)
	u.addIf(r.Display != "", FeatureThinkingDisplay)
}

func (u *useSet) embed(e *Embed) {
	tokens, joined := false, false
	for i := range e.Inputs { // there may be very many
		in := &e.Inputs[i]
		tokens, joined = tokens || in.Tokens != nil, joined || len(in.Parts) > 1
		for j := range in.Parts {
			u.part(&in.Parts[j], false)
		}
	}
	u.addIf(tokens, FeatureTokenInput)
	u.addIf(joined, FeatureJoinedInput)
	u.addIf(e.Dimensions != nil, FeatureDimensions)
	for _, kind := range e.Kinds {
		u.addIf(kind != VectorFloat && kind != VectorBase64, FeatureVectorKinds)
	}
	u.addIf(e.Purpose != "", FeaturePurpose)
	u.addIf(e.Truncate == TruncateStart || e.Truncate == TruncateEnd, FeatureTruncate)
}

func (u *useSet) rerank(r *Rerank) {
	for i := range r.Documents {
		if r.Documents[i].More {
			u.addIf(true, FeatureRankedFields)
			return
		}
	}
}
