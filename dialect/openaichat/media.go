package openaichat

// audioFormat maps the formats that input_audio takes (openai.yaml, ChatCompletionRequestMessageContentPartAudio)
// from the types they go by.
func audioFormat(kind string) string {
	switch kind {
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		return "wav"
	case "audio/mp3", "audio/mpeg", "audio/mpeg3":
		return "mp3"
	}
	return ""
}
