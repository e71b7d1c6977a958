package auth

import (
	"net/http"
	"strings"
)

// Cookie is the name of the cookie that may hold a token.
const Cookie = "framewire_token"

// Bearer returns the token in an Authorization header (RFC 6750 2.1), or "".
func Bearer(h http.Header) string {
	scheme, token, found := strings.Cut(h.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// TokenOf returns the token of an HTTP request, or "": from its Authorization
// header, its query (?token=), or its cookie, the first that has one.
func TokenOf(r *http.Request) string {
	if token := Bearer(r.Header); token != "" {
		return token
	}
	if token := r.URL.Query().Get("token"); token != "" {
		return token
	}
	if c, err := r.Cookie(Cookie); err == nil {
		return c.Value
	}
	return ""
}
