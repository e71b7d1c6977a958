package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/framewire/framewire/server/internal/auth"
	"github.com/framewire/framewire/server/internal/config"
)

// tokenCmd makes a token.
type tokenCmd struct {
	SecretFile string        `help:"Sign with the secret in this file (HS256)." xor:"key" required:"" type:"existingfile" placeholder:"FILE"`
	KeyFile    string        `help:"Sign with the private key in this PEM file (RS256, ES256 or EdDSA)." xor:"key" required:"" type:"existingfile" placeholder:"FILE"`
	Streams    []string      `help:"Streams that it is for: names, or patterns such as cam/* (default: all). Can be repeated." placeholder:"PATTERN"`
	Actions    []string      `help:"What it allows: watch, publish, control, admin." default:"watch" placeholder:"ACTION"`
	Expires    time.Duration `help:"How long it is valid, such as 1h; 0 for ever." default:"1h" placeholder:"DURATION"`
	Address    string        `help:"Bind it to an IP address or network." placeholder:"ADDR"`
	Subject    string        `help:"Who it is for, as logs and the console show it." placeholder:"NAME"`
	Issuer     string        `help:"Its issuer, where the server asks for one." placeholder:"NAME"`
	Audience   []string      `help:"Its audience, where the server asks for one." placeholder:"NAME"`
}

// Run prints the token.
func (t *tokenCmd) Run() error {
	if t.Expires < 0 {
		return fmt.Errorf("%w: --expires %v lies in the past", config.ErrInvalid, t.Expires)
	}
	path := t.SecretFile
	if path == "" {
		path = t.KeyFile
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if t.SecretFile != "" {
		key = bytes.TrimSpace(key)
	}
	now := time.Now()
	claims := auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: t.Subject, Issuer: t.Issuer, Audience: t.Audience, IssuedAt: jwt.NewNumericDate(now)},
		Streams:          t.Streams,
		Address:          t.Address,
	}
	for _, action := range t.Actions {
		claims.Actions = append(claims.Actions, auth.Action(action))
	}
	if t.Expires > 0 {
		claims.ExpiresAt = jwt.NewNumericDate(now.Add(t.Expires))
	}
	token, err := auth.Sign(claims, key)
	if err != nil {
		return fmt.Errorf("%w: %w", config.ErrInvalid, err)
	}
	fmt.Println(token)
	return nil
}
