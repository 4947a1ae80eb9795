// git-server is where charts come from in the rig, whose network nobody else can reach: to whoever asks, it
//
//   - serves bare repositories (FOLDER/NAME.git) over HTTP, for reading and for pushing;
//   - serves OCI layouts (FOLDER/NAME) as a registry does, for reading: the image NAME;
//   - serves all other files as they are, which makes a folder with index.yaml a Helm repository.
//
// Usage: git-server ADDRESS FOLDER
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: git-server ADDRESS FOLDER")
	}
	folder := os.Args[2]
	core, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		log.Fatalf("git --exec-path: %v", err)
	}
	git := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(core)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + folder,
			"GIT_HTTP_EXPORT_ALL=1",
			// Without a user git-http-backend refuses pushes, unless the repository allows them.
			"REMOTE_USER=rig",
		},
	}
	files := http.FileServer(http.Dir(folder))
	mux := http.NewServeMux()
	mux.Handle("/v2/", registry(folder))
	mux.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		if name, _, _ := strings.Cut(request.URL.Path[1:], "/"); strings.HasSuffix(name, ".git") {
			git.ServeHTTP(answer, request)
			return
		}
		files.ServeHTTP(answer, request)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], mux))
}

// descriptor names a blob (OCI image specification, "Content Descriptors").
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

// registry is the reading half of the OCI distribution specification, over OCI layouts as oci-archive makes them.
type registry string

func (folder registry) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	path := strings.TrimPrefix(request.URL.Path, "/v2/")
	if path == "" {
		return
	}
	if name, found := strings.CutSuffix(path, "/tags/list"); found {
		tags := []string{}
		for _, manifest := range folder.manifests(name) {
			tags = append(tags, tag(manifest))
		}
		_ = json.NewEncoder(answer).Encode(map[string]any{"name": name, "tags": tags})
		return
	}
	if name, reference, found := strings.Cut(path, "/manifests/"); found {
		for _, manifest := range folder.manifests(name) {
			if manifest.Digest == reference || tag(manifest) == reference {
				answer.Header().Set("Content-Type", manifest.MediaType)
				answer.Header().Set("Docker-Content-Digest", manifest.Digest)
				http.ServeFile(answer, request, folder.blob(name, manifest.Digest))
				return
			}
		}
	}
	if name, digest, found := strings.Cut(path, "/blobs/"); found {
		answer.Header().Set("Content-Type", "application/octet-stream")
		http.ServeFile(answer, request, folder.blob(name, digest))
		return
	}
	http.NotFound(answer, request)
}

func (folder registry) manifests(name string) []descriptor {
	index := struct{ Manifests []descriptor }{}
	text, err := os.ReadFile(filepath.Join(string(folder), filepath.FromSlash(name), "index.json"))
	if err == nil {
		err = json.Unmarshal(text, &index)
	}
	if err != nil {
		log.Printf("image %s: %v", name, err)
	}
	return index.Manifests
}

func (folder registry) blob(name, digest string) string {
	return filepath.Join(string(folder), filepath.FromSlash(name), "blobs", filepath.FromSlash(strings.ReplaceAll(digest, ":", "/")))
}

// tag is the last part of the name that a manifest has in its layout.
func tag(manifest descriptor) string {
	name := manifest.Annotations["io.containerd.image.name"]
	return name[strings.LastIndexByte(name, ':')+1:]
}
