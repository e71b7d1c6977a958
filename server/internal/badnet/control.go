package badnet

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// maxProfileBytes bounds what the control interface reads; a full profile takes
// about 400 bytes.
const maxProfileBytes = 16 << 10

// Control is the proxy's HTTP interface, for tests in other languages:
//
//	GET  /profile   the profile
//	PUT  /profile   sets it; answers with the profile, or 400 and the reason
//	POST /cut       resets the open connections; answers {"cut": 3}
//	GET  /stats     the Stats
//
// It asks for no credentials and belongs on the loopback interface.
func Control(p *Proxy) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /profile", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, p.Profile())
	})
	mux.HandleFunc("PUT /profile", func(w http.ResponseWriter, r *http.Request) {
		profile, err := readProfile(w, r)
		if err == nil {
			err = p.Set(profile)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, profile)
	})
	mux.HandleFunc("POST /cut", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, struct {
			Cut int `json:"cut"`
		}{p.Cut()})
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, p.Stats())
	})
	return mux
}

func readProfile(w http.ResponseWriter, r *http.Request) (Profile, error) {
	var profile Profile
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxProfileBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&profile); err != nil {
		return Profile{}, fmt.Errorf("read profile: %w", err)
	}
	return profile, nil
}

// answer writes a value that always marshals. A client that has gone away is no
// concern of the proxy.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
