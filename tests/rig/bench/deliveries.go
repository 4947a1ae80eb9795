// deliveries delivers an app some times through Argo CD, and prints where the time of each delivery went:
//
//	deliveries -kubeconfig FILE -repository URL -namespace NAME [-deliveries N]
//
// The chart in the repository's folder `app` has the tasks `first` before the deployment, `second` before that of
// its workload, and `after` after it. It runs in the rig's box. What it goes by, to the millisecond: containerd's
// events for the start and end of containers, and for everything else the moment at which a watch told of it; the
// times in Kubernetes' and Argo CD's own objects are whole seconds.
//
// It is built in the module of tests/peers/argocd, for its client of Kubernetes.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// How long a delivery may take.
const patience = 5 * time.Minute

var (
	applications = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}
	jobs         = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	pods         = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// container is a pod's main container.
type container struct {
	pod     string
	started time.Time
	ended   time.Time
	// The API server told of its end.
	told time.Time
	// Most memory that it ever had, in kB; read while it runs.
	memory int
}

// seen is what has been seen so far, of all deliveries.
type seen struct {
	sync.Mutex
	// The Application's name.
	name    string
	changed chan struct{}
	// By their ids.
	containers map[string]*container
	// By names of Jobs: when it was there, and which container ran it.
	made map[string]time.Time
	runs map[string]string
	// Of the Application: the number of the operation that it tells of, and its phase.
	operation, phase string
	running, ended   time.Time
}

func (s *seen) change(change func()) {
	s.Lock()
	change()
	s.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "deliveries:", err)
		os.Exit(1)
	}
}

func run() error {
	kubeconfig := flag.String("kubeconfig", "", "an administrator's")
	repository := flag.String("repository", "", "URL of the repository with the chart")
	namespace := flag.String("namespace", "measure", "to deploy to; also the Application's name")
	count := flag.Int("deliveries", 5, "how many are measured, after one that is not")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = -1, -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &seen{
		name: *namespace, changed: make(chan struct{}, 1), containers: map[string]*container{},
		made: map[string]time.Time{}, runs: map[string]string{},
	}
	if err := s.follow(ctx, client, *namespace); err != nil {
		return err
	}
	application := func(number int) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
			"metadata": map[string]any{"name": *namespace, "finalizers": []any{"resources-finalizer.argocd.argoproj.io"}},
			"spec": map[string]any{
				"project":     "default",
				"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": *namespace},
				"source": map[string]any{
					"repoURL": *repository, "path": "app", "targetRevision": "main",
					"plugin": map[string]any{"name": "stagelink", "parameters": []any{
						map[string]any{"name": "stage", "string": "dev"},
						map[string]any{"name": "helm-parameters", "map": map[string]any{"number": strconv.Itoa(number)}},
					}},
				},
			},
		}}
	}
	here := client.Resource(applications).Namespace("argocd")
	if _, err := here.Create(ctx, application(0), metav1.CreateOptions{}); err != nil {
		return err
	}
	defer func() {
		_ = here.Delete(context.Background(), *namespace, metav1.DeleteOptions{})
	}()
	var rows []row
	for number := range *count + 1 {
		asked := map[string]any{
			// Another content each time.
			"spec": application(number).Object["spec"],
			"operation": map[string]any{
				"info": []any{map[string]any{"name": "number", "value": strconv.Itoa(number)}},
				"sync": map[string]any{"syncOptions": []any{"CreateNamespace=true"}},
			},
		}
		patch, err := json.Marshal(asked)
		if err != nil {
			return err
		}
		if _, err := here.Patch(ctx, *namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
		row, err := s.delivery(strconv.Itoa(number))
		if err != nil {
			return err
		}
		if number > 0 {
			rows = append(rows, row)
		}
	}
	printRows(rows)
	return nil
}

// follow begins to watch the Application, Jobs and pods of the namespace, and containerd.
func (s *seen) follow(ctx context.Context, client dynamic.Interface, namespace string) error {
	watch := func(resource schema.GroupVersionResource, namespace, name string, take func(*unstructured.Unstructured, time.Time)) {
		options := metav1.ListOptions{ResourceVersion: "0", FieldSelector: name}
		for ctx.Err() == nil {
			stream, err := client.Resource(resource).Namespace(namespace).Watch(ctx, options)
			if err != nil {
				time.Sleep(100 * time.Millisecond)
				continue
			}
			for event := range stream.ResultChan() {
				now := time.Now()
				if object, ok := event.Object.(*unstructured.Unstructured); ok {
					s.change(func() { take(object, now) })
				}
			}
		}
	}
	go watch(applications, "argocd", "metadata.name="+namespace, s.application)
	go watch(jobs, namespace, "", func(job *unstructured.Unstructured, now time.Time) {
		if _, known := s.made[job.GetName()]; !known {
			s.made[job.GetName()] = now
		}
	})
	go watch(pods, namespace, "", s.pod)

	events := exec.CommandContext(ctx, "ctr", "--namespace", "k8s.io", "events")
	output, err := events.StdoutPipe()
	if err != nil {
		return err
	}
	if err := events.Start(); err != nil {
		return err
	}
	go func() {
		lines := bufio.NewScanner(output)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s.event(lines.Text())
		}
	}()
	return nil
}

func (s *seen) application(application *unstructured.Unstructured, now time.Time) {
	state, _, _ := unstructured.NestedMap(application.Object, "status", "operationState")
	number := ""
	if infos, _, _ := unstructured.NestedSlice(state, "operation", "info"); len(infos) > 0 {
		info, _ := infos[0].(map[string]any)
		number, _ = info["value"].(string)
	}
	if number != s.operation {
		s.operation, s.phase, s.running, s.ended = number, "", time.Time{}, time.Time{}
	}
	phase, _ := state["phase"].(string)
	if s.running.IsZero() && phase != "" {
		s.running = now
	}
	if s.ended.IsZero() && phase != "" && phase != "Running" {
		s.ended = now
	}
	s.phase = phase
}

func (s *seen) pod(pod *unstructured.Unstructured, now time.Time) {
	statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
	if len(statuses) == 0 {
		return
	}
	status, _ := statuses[0].(map[string]any)
	text, _ := status["containerID"].(string)
	_, id, found := strings.Cut(text, "://")
	if !found {
		return
	}
	container := s.container(id)
	container.pod = pod.GetName()
	if _, ended, _ := unstructured.NestedMap(status, "state", "terminated"); ended && container.told.IsZero() {
		container.told = now
	}
	if job := pod.GetLabels()["batch.kubernetes.io/job-name"]; job != "" {
		s.runs[job] = id
	}
}

func (s *seen) container(id string) *container {
	if s.containers[id] == nil {
		s.containers[id] = &container{}
	}
	return s.containers[id]
}

// event takes a line of `ctr events`: time, namespace, topic, and what happened as JSON.
func (s *seen) event(line string) {
	start := strings.IndexByte(line, '{')
	if start < 0 {
		return
	}
	head := strings.Fields(line[:start])
	if len(head) < 6 {
		return
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", strings.Join(head[:4], " "))
	topic := head[len(head)-1]
	event := struct {
		ContainerID string `json:"container_id"`
		ID          string `json:"id"`
		Pid         int    `json:"pid"`
	}{}
	if err != nil || json.Unmarshal([]byte(line[start:]), &event) != nil {
		return
	}
	switch topic {
	case "/tasks/start":
		s.change(func() { s.container(event.ContainerID).started = at })
		go s.memory(event.ContainerID, event.Pid)
	case "/tasks/exit":
		// Not of another process that was started in it.
		if event.ID == event.ContainerID {
			s.change(func() { s.container(event.ContainerID).ended = at })
		}
	}
}

// memory looks at a process's most resident memory (VmHWM of proc(5)) until it ends.
func (s *seen) memory(id string, pid int) {
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return
		}
		_, rest, found := strings.Cut(string(status), "VmHWM:")
		if !found {
			return
		}
		if most, err := strconv.Atoi(strings.Fields(rest)[0]); err == nil {
			s.Lock()
			s.container(id).memory = most
			s.Unlock()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// row is what one delivery took.
type row struct {
	// Argo CD's operation, all of it.
	operation time.Duration
	// From the operation's start to the PreSync hook's.
	untilHook time.Duration
	// From the PreSync hook's start to the Job of its first task.
	untilTask time.Duration
	// From the end of a task's container to the next task's Job, and how much of it the kubelet takes to tell.
	step, told time.Duration
	// What the hooks take beside the tasks: from each Job until its container has ended, or until the API server tells.
	overhead, own time.Duration
	// Of the hook that had most, in kB.
	memory int
}

// delivery waits for an operation's end and measures it.
func (s *seen) delivery(number string) (row, error) {
	deadline := time.After(patience)
	for {
		s.Lock()
		isEnded := s.operation == number && !s.ended.IsZero()
		phase := s.phase
		found, err := s.row()
		s.Unlock()
		if isEnded && phase != "Succeeded" {
			return found, fmt.Errorf("the operation ended as %s", phase)
		}
		// The last container's end is told after the operation's at times.
		if isEnded && err == nil {
			return found, nil
		}
		select {
		case <-s.changed:
		case <-deadline:
			return found, fmt.Errorf("the operation is %s: %w", phase, err)
		}
	}
}

var errUnseen = errors.New("not all of its containers were seen from start to end")

func (s *seen) row() (row, error) {
	var missing bool
	// The newest Job of this kind since the operation began.
	job := func(prefix string) (time.Time, *container) {
		var made time.Time
		var of *container
		for name, at := range s.made {
			if strings.HasPrefix(name, prefix) && at.After(s.running) && at.After(made) {
				made, of = at, s.containers[s.runs[name]]
			}
		}
		if of == nil || of.started.IsZero() || of.ended.IsZero() {
			missing = true
			of = &container{}
		}
		return made, of
	}
	_, presync := job(s.name + "-presync-")
	_, postsync := job(s.name + "-postsync-")
	firstMade, first := job("pre-first-")
	secondMade, second := job("pre-second-")
	afterMade, after := job("post-after-")
	if missing || first.told.IsZero() || second.told.IsZero() || after.told.IsZero() {
		return row{}, errUnseen
	}
	tasks := first.ended.Sub(firstMade) + second.ended.Sub(secondMade) + after.ended.Sub(afterMade)
	late := first.told.Sub(first.ended) + second.told.Sub(second.ended) + after.told.Sub(after.ended)
	hooks := presync.ended.Sub(presync.started) + postsync.ended.Sub(postsync.started)
	return row{
		operation: s.ended.Sub(s.running), untilHook: presync.started.Sub(s.running),
		untilTask: firstMade.Sub(presync.started),
		step:      secondMade.Sub(first.ended), told: first.told.Sub(first.ended),
		overhead: hooks - tasks, own: hooks - tasks - late, memory: max(presync.memory, postsync.memory),
	}, nil
}

func printRows(rows []row) {
	figures := []struct {
		what   string
		target string
		of     func(row) time.Duration
	}{
		{"operation's start to its end", "", func(r row) time.Duration { return r.operation }},
		{"operation's start to PreSync hook running", "2500", func(r row) time.Duration { return r.untilHook }},
		{"hook's start to first task created", "100", func(r row) time.Duration { return r.untilTask }},
		{"task's container ended to next task created", "200", func(r row) time.Duration { return r.step }},
		{"  of which until the API server tells of the end", "", func(r row) time.Duration { return r.told }},
		{"  of which our own", "", func(r row) time.Duration { return r.step - r.told }},
		{"both hooks, minus their 3 tasks until these have ended", "", func(r row) time.Duration { return r.overhead }},
		{"  minus their 3 tasks until the API server tells", "1000", func(r row) time.Duration { return r.own }},
	}
	fmt.Printf("%d deliveries; ms\n%-56s %8s %8s %8s %8s\n", len(rows), "", "least", "median", "most", "target")
	line := func(what, target string, values []float64) {
		slices.Sort(values)
		fmt.Printf("%-56s %8.0f %8.0f %8.0f %8s\n", what, values[0], values[len(values)/2], values[len(values)-1], target)
	}
	for _, figure := range figures {
		var values []float64
		for _, row := range rows {
			values = append(values, float64(figure.of(row).Microseconds())/1000)
		}
		line(figure.what, figure.target, values)
	}
	var memory []float64
	for _, row := range rows {
		memory = append(memory, float64(row.memory)/1024)
	}
	line("most memory of a hook, MiB", "30", memory)
}
