// probe is the program of the rig's test image. Each of its commands is something that a check of
// tests/rig/verify or a test lets a pod do.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "serve": // serve ADDRESS DELAY: ready (200 on /) after DELAY
		delay, _ := time.ParseDuration(os.Args[3])
		start := time.Now()
		http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			if time.Since(start) < delay {
				w.WriteHeader(503)
				return
			}
			fmt.Fprintln(w, "hello from", os.Getenv("HOSTNAME"))
		})
		go http.ListenAndServe(os.Args[2], nil)
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		fmt.Println("terminated")
	case "api": // api PATH: GET as the mounted service account
		dir := "/var/run/secrets/kubernetes.io/serviceaccount/"
		token, _ := os.ReadFile(dir + "token")
		ca, _ := os.ReadFile(dir + "ca.crt")
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		url := "https://" + net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")) + os.Args[2]
		req, _ := http.NewRequest("GET", url, nil)
		req.Header.Set("Authorization", "Bearer "+string(token))
		res, err := client.Do(req)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		body, _ := io.ReadAll(res.Body)
		fmt.Println(res.StatusCode, string(body[:min(len(body), 160)]))
	case "get": // get URL
		res, err := (&http.Client{Timeout: 3 * time.Second}).Get(os.Args[2])
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		body, _ := io.ReadAll(res.Body)
		fmt.Print(res.StatusCode, " ", string(body))
	case "show": // show FILE... : environment variables CFG_*, then files
		fmt.Println("env", os.Getenv("CFG_KEY"), os.Getenv("CFG_SECRET"), os.Getenv("CFG_POD"))
		for _, f := range os.Args[2:] {
			b, err := os.ReadFile(f)
			fmt.Println(f, string(b), err)
		}
		fmt.Println("uid", os.Getuid(), "write:", os.WriteFile("/x", nil, 0o600))
	case "sleep":
		d, _ := time.ParseDuration(os.Args[2])
		time.Sleep(d)
	case "eat": // eat MIB
		n, _ := strconv.Atoi(os.Args[2])
		var keep [][]byte
		for range n {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			keep = append(keep, b)
		}
		fmt.Println(len(keep))
	case "die": // die CODE MESSAGE: also as termination message
		fmt.Println(os.Args[3])
		os.WriteFile("/dev/termination-log", []byte(os.Args[3]), 0o644)
		c, _ := strconv.Atoi(os.Args[2])
		os.Exit(c)
	}
}
