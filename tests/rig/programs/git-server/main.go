// git-server serves bare repositories over HTTP, for reading and for pushing, to whoever asks. It is
// the forge of the rig, whose network nobody else can reach.
//
//	git-server ADDRESS FOLDER
package main

import (
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
	core, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		log.Fatalf("git --exec-path: %v", err)
	}
	handler := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(core)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + os.Args[2],
			"GIT_HTTP_EXPORT_ALL=1",
			// Without a user git-http-backend refuses pushes, unless the repository allows them.
			"REMOTE_USER=rig",
		},
	}
	log.Fatal(http.ListenAndServe(os.Args[1], handler))
}
