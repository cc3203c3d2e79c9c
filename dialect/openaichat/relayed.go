package openaichat

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
)

// relayed are the rest of OpenAI's API, as far as it is passed on as it is: openai.yaml, paths.
func relayed() []dialect.Endpoint {
	const get, post, remove = "GET", "POST", "DELETE"
	return []dialect.Endpoint{
		{Method: post, Path: "/v1/completions", Operation: dialect.Completions},
		{Method: post, Path: "/v1/images/generations", Operation: dialect.Images},
		{Method: post, Path: "/v1/images/edits", Operation: dialect.Images},
		{Method: post, Path: "/v1/images/variations", Operation: dialect.Images},
		{Method: post, Path: "/v1/audio/speech", Operation: dialect.Audio},
		{Method: post, Path: "/v1/audio/transcriptions", Operation: dialect.Audio},
		{Method: post, Path: "/v1/audio/translations", Operation: dialect.Audio},
		{Method: post, Path: "/v1/moderations", Operation: dialect.Moderations},
		{Method: get, Path: "/v1/files", Operation: dialect.Files},
		{Method: post, Path: "/v1/files", Operation: dialect.Files},
		{Method: get, Path: "/v1/files/{id}", Operation: dialect.Files},
		{Method: remove, Path: "/v1/files/{id}", Operation: dialect.Files},
		{Method: get, Path: "/v1/files/{id}/content", Operation: dialect.Files},
		{Method: post, Path: "/v1/uploads", Operation: dialect.Files},
		{Method: post, Path: "/v1/uploads/{id}/parts", Operation: dialect.Files},
		{Method: post, Path: "/v1/uploads/{id}/complete", Operation: dialect.Files},
		{Method: post, Path: "/v1/uploads/{id}/cancel", Operation: dialect.Files},
		{Method: get, Path: "/v1/batches", Operation: dialect.Batches},
		{Method: post, Path: "/v1/batches", Operation: dialect.Batches},
		{Method: get, Path: "/v1/batches/{id}", Operation: dialect.Batches},
		{Method: post, Path: "/v1/batches/{id}/cancel", Operation: dialect.Batches},
		{Method: get, Path: "/v1/chat/completions/{id}", Operation: dialect.Stored},
		{Method: post, Path: "/v1/chat/completions/{id}", Operation: dialect.Stored},
		{Method: remove, Path: "/v1/chat/completions/{id}", Operation: dialect.Stored},
		{Method: get, Path: "/v1/chat/completions/{id}/messages", Operation: dialect.Stored},
		{Method: get, Path: "/v1/realtime", Operation: dialect.Realtime},
	}
}

// relayedAtAzure are those that Azure has, in its two forms: all in the one without a version; in the older, what a model
// does below its deployment, and the rest beside them. See azure-openai-2024-10-21.openapi.yaml and the reference of the
// v1 API, https://learn.microsoft.com/azure/ai-foundry/openai/latest.
func relayedAtAzure() []dialect.Endpoint {
	var list []dialect.Endpoint
	for _, e := range relayed() {
		older := "/openai"
		switch e.Operation {
		case dialect.Moderations:
			continue
		case dialect.Completions, dialect.Images, dialect.Audio:
			older = "/openai/deployments/{model}"
		default:
		}
		for _, under := range []string{"/openai/v1", older} {
			at := e
			at.Path, at.Under = under+strings.TrimPrefix(e.Path, "/v1"), under
			list = append(list, at)
		}
	}
	return list
}
