package transport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"github.com/understudy-ai/understudy/provider"
)

// signer signs for one service in one region (Signature Version 4).
type signer struct {
	keys            aws.Credentials
	service, region string
	by              *v4.Signer // remembers the keys it derived for the day
}

// sign signs the request as it will be sent. What an answer could give away is the
// session's token; the secret itself is sent to nobody.
func (t *Transport) sign(ctx context.Context, req *http.Request, r Request) (provider.Secret, error) {
	s, err := t.credentials.of(r.Provider).signer.get(ctx, r.Connect)
	if err != nil {
		return provider.Secret{}, err
	}
	if err := s.sign(req, r.Body, t.opts.Now()); err != nil {
		return provider.Secret{}, &CredentialError{Refused: true, Reason: "the request cannot be signed"}
	}
	return provider.NewSecret(s.keys.SessionToken), nil
}

// sign adds the signature to req's headers. It covers the method, the address, the body
// and those headers that nobody on the way has a reason to touch.
func (s *signer) sign(req *http.Request, body []byte, now time.Time) error {
	address := *req.URL // the signer writes to it
	covered := &http.Request{Method: req.Method, URL: &address, Host: req.Host, Header: make(http.Header)}
	for name, values := range req.Header {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "X-Amzn-Bedrock-") {
			covered.Header[name] = values
		}
	}
	sum := sha256.Sum256(body)
	if err := s.by.SignHTTP(req.Context(), s.keys, covered, hex.EncodeToString(sum[:]), s.service, s.region, now); err != nil {
		return err
	}
	for name, values := range covered.Header {
		req.Header[name] = values
	}
	req.Host = covered.Host // without a port that goes without saying
	return nil
}

// awsSigner finds credentials where the AWS SDKs do: the environment, the shared files
// with their profiles, SSO, roles to assume, web identities, processes, and the
// services of a container or machine.
func awsSigner(ctx context.Context, issuers *http.Client, h *held) (signer, time.Time, error) {
	s := signer{service: h.scope, region: h.region, by: v4.NewSigner()}
	found, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(issuers), config.WithRegion(h.region))
	if err == nil {
		s.keys, err = found.Credentials.Retrieve(ctx)
	}
	switch {
	case err != nil:
		return s, time.Time{}, awsFailure(err)
	case !s.keys.CanExpire:
		return s, time.Time{}, nil
	default:
		return s, s.keys.Expires, nil
	}
}

// awsFailure words an error of the AWS SDK by its kind: its text can hold what a
// process or a service answered.
func awsFailure(err error) *CredentialError {
	var answered smithy.APIError
	var operation *smithy.OperationError
	var status *awshttp.ResponseError
	var profile config.SharedConfigProfileNotExistError
	var process *processcreds.ProviderError
	var session *ssocreds.InvalidTokenError
	var file *fs.PathError
	var network *url.Error
	at := ""
	if errors.As(err, &operation) {
		at = operation.ServiceID + " " + operation.OperationName + ": "
	}
	switch {
	case errors.As(err, &network):
		return &CredentialError{Reason: at + unreachable(network)}
	case errors.As(err, &answered):
		refused := answered.ErrorFault() != smithy.FaultServer && (!errors.As(err, &status) || status.HTTPStatusCode() < 500)
		return &CredentialError{Refused: refused, Reason: at + "refused as " + word(answered.ErrorCode())}
	case errors.As(err, &profile):
		return &CredentialError{Refused: true, Reason: "there is no profile " + strconv.Quote(profile.Profile) + " in AWS's shared files"}
	case errors.As(err, &process):
		return &CredentialError{Refused: true, Reason: "the profile's credential_process gave no credentials"}
	case errors.As(err, &session):
		return &CredentialError{Refused: true, Reason: "the SSO session is over: sign in with the AWS CLI"}
	case errors.As(err, &file):
		return &CredentialError{Refused: true, Reason: "the file " + file.Path + " cannot be read: " + file.Err.Error()}
	default:
		return &CredentialError{Refused: true, Reason: at + "no credentials where the AWS SDKs look for them"}
	}
}
