package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	callbackTimeout = 5 * time.Second
	maxCallbackBody = 64 << 10
)

// Callback is a Verifier that asks the operator's own server. It sends
//
//	POST {"token":"...","address":"192.0.2.7","action":"watch","stream":"cam"}
//
// and reads from an answer with status 200 the same object that a token's
// payload would be (see Claims). 401 and 403 refuse; anything else counts as
// unavailable.
type Callback struct {
	url    string
	client *http.Client
}

// NewCallback returns the Verifier that asks url.
func NewCallback(url string) *Callback {
	return &Callback{url: url, client: &http.Client{Timeout: callbackTimeout}}
}

type callbackQuestion struct {
	Token   string `json:"token"`
	Address string `json:"address"`
	Action  Action `json:"action"`
	Stream  string `json:"stream,omitempty"`
}

// Verify implements Verifier.
func (c *Callback) Verify(ctx context.Context, r Request) (*Grant, error) {
	if len(r.Token) > maxToken {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrBadToken, len(r.Token), maxToken)
	}
	question, err := json.Marshal(callbackQuestion{Token: r.Token, Address: r.Remote.String(), Action: r.Action, Stream: r.Stream})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusUnauthorized && r.Token == "":
		return nil, ErrNoToken
	case response.StatusCode == http.StatusUnauthorized:
		return nil, ErrBadToken
	case response.StatusCode == http.StatusForbidden:
		return nil, ErrForbidden
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: the callback answered %s", ErrUnavailable, response.Status)
	}
	var claims Claims
	if err := json.NewDecoder(io.LimitReader(response.Body, maxCallbackBody)).Decode(&claims); err != nil {
		return nil, fmt.Errorf("%w: the callback's answer: %w", ErrUnavailable, err)
	}
	if err := jwt.NewValidator(jwt.WithLeeway(leeway)).Validate(claims); err != nil {
		return nil, ErrExpired
	}
	g, err := claims.grant()
	if err != nil {
		return nil, fmt.Errorf("%w: the callback's answer: %w", ErrUnavailable, err)
	}
	return g, g.from(r.Remote)
}
