package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/restante/restante/host"
)

const bareKey = "rk_bareones_aaaaaaaaaaaaaaaaaaaaaaaaaa"

// serveBare serves what the daemon is compared with: the same HTTP library and
// router, a hashed key, the body read and validated, and nothing stored.
func serveBare() error {
	want := sha256.Sum256([]byte(bareKey))
	router := mux.NewRouter()
	router.HandleFunc(base+"/add/{group}", func(w http.ResponseWriter, r *http.Request) {
		_, key, _ := r.BasicAuth()
		if got := sha256.Sum256([]byte(key)); subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, host.MaxAdditionBytes))
		if err == nil {
			_, err = host.CheckData(body)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"id":1}`)
	}).Methods("POST")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, router)
}
