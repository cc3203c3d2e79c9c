package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// roleSecureTicker is the ticker over TLS, where it speaks HTTP/2. Its certificate goes to the file that targetVariable
// names, for those who are to trust it.
const roleSecureTicker = "ticker over TLS"

// streamsEach is how many streams it takes on a connection: vendors allow 100 or more.
const streamsEach = 100

// secure has a server speak TLS with a certificate that it makes itself.
func secure(s *http.Server, path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streamsEach}
	return nil
}
