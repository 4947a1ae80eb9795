// render-requests asks a repo-server of Argo CD to render one chart by several sources in turn, with no cache,
// and prints how long each takes, what CPU time each costs, and both as ratios to the first source.
//
//	render-requests -repository URL -path FOLDER -api-versions FILE -source NAME=PLUGIN... -process NAME=PID...
//
// A source without a PLUGIN (`helm=`) is what Argo CD finds itself in the folder. The CPU time of a process
// includes that of its children that have ended: git, helm, the plugin's command.
//
// It is built in the module of tests/peers/argocd, whose Argo CD it speaks with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/reposerver/apiclient"
	utiltls "github.com/argoproj/argo-cd/v3/util/tls"
)

// How long a single request may take, with all the others beside it.
const patience = 120 * time.Second

// The kernel counts CPU time of processes in hundredths of a second.
const tick = 10 * time.Millisecond

// source is a way to render the chart.
type source struct {
	name, plugin string
	// By the number of requests at once.
	seen map[int]*measured
}

// measured is what some requests at once took.
type measured struct {
	walls []time.Duration
	// p50 of each round, for ratios in which a busy minute of the machine cancels out.
	rounds []time.Duration
	total  time.Duration
	cpu    map[string]time.Duration
}

type process struct {
	name string
	pid  int
}

type bench struct {
	client     apiclient.RepoServerServiceClient
	repository string
	path       string
	versions   []string
	processes  []process
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "render-requests:", err)
		os.Exit(1)
	}
}

func run() error {
	var sources []*source
	b := bench{}
	address := flag.String("address", "127.0.0.1:8081", "the repo-server")
	flag.StringVar(&b.repository, "repository", "", "URL of the repository")
	flag.StringVar(&b.path, "path", "", "the chart's folder in it")
	versions := flag.String("api-versions", "", "file with the cluster's API versions, one in each line")
	requests := flag.Int("requests", 240, "of each source, for each number at once")
	rounds := flag.Int("rounds", 6, "turns in which these are made")
	atOnce := flag.String("at-once", "1,8,64", "numbers of requests at once")
	flag.Func("source", "NAME=PLUGIN, the first is what the others are compared with", func(text string) error {
		name, plugin, found := strings.Cut(text, "=")
		if !found {
			return errors.New("NAME=PLUGIN is wanted")
		}
		sources = append(sources, &source{name: name, plugin: plugin, seen: map[int]*measured{}})
		return nil
	})
	flag.Func("process", "NAME=PID of a process whose CPU time counts", func(text string) error {
		name, id, _ := strings.Cut(text, "=")
		pid, err := strconv.Atoi(id)
		b.processes = append(b.processes, process{name, pid})
		return err
	})
	flag.Parse()
	listed, err := os.ReadFile(*versions)
	if err != nil {
		return err
	}
	b.versions = strings.Fields(string(listed))
	var counts []int
	for _, text := range strings.Split(*atOnce, ",") {
		count, err := strconv.Atoi(text)
		if err != nil || count < 1 {
			return fmt.Errorf("-at-once %s: numbers are wanted", *atOnce)
		}
		counts = append(counts, count)
	}

	closer, client, err := apiclient.NewRepoServerClientset(*address, int(patience.Seconds()),
		utiltls.Configuration{DisableTLS: true}).NewRepoServerClient()
	if err != nil {
		return err
	}
	defer closer.Close()
	b.client = client

	// Each works at all, and is no longer cold.
	for _, source := range sources {
		for i := range 3 {
			answer, err := b.ask(source, i)
			if err != nil {
				return fmt.Errorf("%s: %w", source.name, err)
			}
			if i == 0 {
				fmt.Printf("%s: %d resources as %s\n", source.name, len(answer.Manifests), answer.SourceType)
			}
		}
	}
	for _, count := range counts {
		for range *rounds {
			for _, source := range sources {
				// All that run at once get their turn in each round.
				if err := b.measure(source, count, max(*requests / *rounds, count)); err != nil {
					return fmt.Errorf("%s: %w", source.name, err)
				}
			}
		}
		b.print(sources, count)
	}
	return nil
}

func (b *bench) ask(source *source, number int) (*apiclient.ManifestResponse, error) {
	asked := v1alpha1.ApplicationSource{RepoURL: b.repository, Path: b.path, TargetRevision: "main"}
	if source.plugin != "" {
		asked.Plugin = &v1alpha1.ApplicationSourcePlugin{Name: source.plugin}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.client.GenerateManifest(ctx, &apiclient.ManifestRequest{
		Repo: &v1alpha1.Repository{Repo: b.repository}, Revision: "main", NoCache: true, NoRevisionCache: true,
		AppLabelKey: "app.kubernetes.io/instance", AppName: fmt.Sprintf("bench-%d", number%64), Namespace: "bench",
		ApplicationSource: &asked, KubeVersion: "1.34.4", ApiVersions: b.versions, TrackingMethod: "annotation",
		ProjectName: "default", ProjectSourceRepos: []string{"*"},
	})
}

// measure makes some requests, so many at once.
func (b *bench) measure(source *source, atOnce, requests int) error {
	seen := source.seen[atOnce]
	if seen == nil {
		seen = &measured{cpu: map[string]time.Duration{}}
		source.seen[atOnce] = seen
	}
	before, err := b.cpu()
	if err != nil {
		return err
	}
	walls := make([]time.Duration, requests)
	failures := make([]error, atOnce)
	var next atomic.Int64
	var workers sync.WaitGroup
	start := time.Now()
	for worker := range atOnce {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= requests {
					return
				}
				asked := time.Now()
				if _, err := b.ask(source, i); err != nil {
					failures[worker] = err
					return
				}
				walls[i] = time.Since(asked)
			}
		})
	}
	workers.Wait()
	seen.total += time.Since(start)
	// Of the commands of the last requests the end must be noticed, too.
	time.Sleep(50 * time.Millisecond)
	if err := errors.Join(failures...); err != nil {
		return err
	}
	after, err := b.cpu()
	if err != nil {
		return err
	}
	for name, used := range after {
		seen.cpu[name] += used - before[name]
	}
	seen.walls = append(seen.walls, walls...)
	seen.rounds = append(seen.rounds, quantile(walls, 0.5))
	return nil
}

// cpu is the CPU time of each process so far: `own` what it used itself, `children` what those used that it waited for.
func (b *bench) cpu() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for _, process := range b.processes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.pid))
		if err != nil {
			return nil, err
		}
		// After the name, which may hold anything.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		ticks := func(field int) time.Duration {
			count, _ := strconv.ParseInt(fields[field], 10, 64)
			return time.Duration(count) * tick
		}
		// proc(5): utime, stime, cutime, cstime are fields 14 to 17, of which two are before these.
		used[process.name] = ticks(11) + ticks(12)
		used[process.name+"'s commands"] = ticks(13) + ticks(14)
	}
	return used, nil
}

func quantile(walls []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(walls))
	return sorted[int(share*float64(len(sorted)-1))]
}

func (seen *measured) all() time.Duration {
	var sum time.Duration
	for _, used := range seen.cpu {
		sum += used
	}
	return sum / time.Duration(len(seen.walls))
}

func milliseconds(duration time.Duration) float64 { return float64(duration.Microseconds()) / 1000 }

func (b *bench) print(sources []*source, atOnce int) {
	first := sources[0].seen[atOnce]
	fmt.Printf("\n%d at once, %d requests each; ms; ratios to %s\n", atOnce, len(first.walls), sources[0].name)
	fmt.Printf("%-12s %9s %9s %11s %9s %10s %10s %10s\n", "source", "p50", "p99", "requests/s", "CPU", "p50 ratio", "per round", "CPU ratio")
	for _, source := range sources {
		seen := source.seen[atOnce]
		var ratios []float64
		for round, p50 := range seen.rounds {
			ratios = append(ratios, float64(p50)/float64(first.rounds[round]))
		}
		slices.Sort(ratios)
		p50 := quantile(seen.walls, 0.5)
		fmt.Printf("%-12s %9.1f %9.1f %11.1f %9.1f %10.2f %10.2f %10.2f\n", source.name,
			milliseconds(p50), milliseconds(quantile(seen.walls, 0.99)), float64(len(seen.walls))/seen.total.Seconds(),
			milliseconds(seen.all()), float64(p50)/float64(quantile(first.walls, 0.5)), ratios[len(ratios)/2],
			float64(seen.all())/float64(first.all()))
	}
	for _, source := range sources {
		seen := source.seen[atOnce]
		var parts []string
		for name, used := range seen.cpu {
			if each := used / time.Duration(len(seen.walls)); each >= 100*time.Microsecond {
				parts = append(parts, fmt.Sprintf("%s %.1f", name, milliseconds(each)))
			}
		}
		slices.Sort(parts)
		fmt.Printf("  CPU of %s: %s\n", source.name, strings.Join(parts, ", "))
	}
}
