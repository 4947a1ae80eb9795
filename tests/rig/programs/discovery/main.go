// discovery tells Prometheus which pods to scrape (its http_sd_configs): the endpoints of each Service
// of an app (`app.kubernetes.io/part-of`) that has a port named http. Debian's Prometheus is built
// without its own Kubernetes discovery.
//
//	discovery ADDRESS API-SERVER FOLDER NAME
//
// FOLDER has ca.crt, and NAME.crt and NAME.key of who asks.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// slices is what is read of an EndpointSliceList.
type slices struct {
	Items []struct {
		Metadata struct {
			Namespace string
			Labels    map[string]string
		}
		Endpoints []struct {
			Addresses []string
			TargetRef struct{ Name string }
		}
		Ports []struct {
			Name string
			Port int
		}
	}
}

// group is one entry of Prometheus' answer, with the labels that the Prometheus operator gives.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func groups(found slices) []group {
	all := []group{}
	for _, slice := range found.Items {
		service := slice.Metadata.Labels["kubernetes.io/service-name"]
		for _, port := range slice.Ports {
			if port.Name != "http" {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				for _, address := range endpoint.Addresses {
					all = append(all, group{
						Targets: []string{net.JoinHostPort(address, strconv.Itoa(port.Port))},
						Labels: map[string]string{
							"job":       service,
							"service":   service,
							"namespace": slice.Metadata.Namespace,
							"pod":       endpoint.TargetRef.Name,
						},
					})
				}
			}
		}
	}
	return all
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: discovery ADDRESS API-SERVER FOLDER NAME")
	}
	server, folder, name := os.Args[2], os.Args[3], os.Args[4]
	identity, err := tls.LoadX509KeyPair(filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key"))
	if err != nil {
		log.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		log.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(authority)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: authorities, Certificates: []tls.Certificate{identity},
	}}}
	url := server + "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=app.kubernetes.io/part-of"

	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		var found slices
		response, err := client.Get(url)
		if err == nil {
			defer response.Body.Close()
			if response.StatusCode == http.StatusOK {
				err = json.NewDecoder(response.Body).Decode(&found)
			} else {
				err = fmt.Errorf("%s: %s", url, response.Status)
			}
		}
		if err != nil {
			// Prometheus then keeps the targets that it has.
			log.Print(err)
			http.Error(answer, err.Error(), http.StatusBadGateway)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(answer).Encode(groups(found)); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
