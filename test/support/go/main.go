// Dials etcd:///<target> as any Go service does: stock etcd resolver, round robin, no proxy. Prints as JSON what it
// resolved and which instances answered. The flags' names are those of go-client.ts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

type report struct {
	Addresses []string       `json:"addresses"`
	Backends  map[string]int `json:"backends"`
	Instances map[string]int `json:"instances"`
}

func main() {
	etcd := flag.String("etcd", "", "host:port[,host:port...]")
	target := flag.String("target", "", "what stands after etcd:///")
	calls := flag.Int("calls", 0, "how often to call lightmesh.demo.Echo/Say")
	timeout := flag.Duration("timeout", 20*time.Second, "for all of it")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	seen, err := resolve(ctx, strings.Split(*etcd, ","), *target, *calls)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(seen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func resolve(ctx context.Context, etcd []string, target string, calls int) (report, error) {
	client, err := clientv3.New(clientv3.Config{Context: ctx, Endpoints: etcd, DialTimeout: 5 * time.Second})
	if err != nil {
		return report{}, err
	}
	defer client.Close()
	addresses, err := list(ctx, client, target)
	if err != nil {
		return report{}, fmt.Errorf("list %s: %w", target, err)
	}
	seen := report{Addresses: addresses, Backends: map[string]int{}, Instances: map[string]int{}}
	return seen, call(ctx, client, target, calls, seen)
}

func list(ctx context.Context, client *clientv3.Client, target string) ([]string, error) {
	manager, err := endpoints.NewManager(client, target)
	if err != nil {
		return nil, err
	}
	found, err := manager.List(ctx)
	if err != nil {
		return nil, err
	}
	addresses := []string{}
	for _, endpoint := range found {
		addresses = append(addresses, endpoint.Addr)
	}
	sort.Strings(addresses)
	return addresses, nil
}

func call(ctx context.Context, client *clientv3.Client, target string, calls int, seen report) error {
	builder, err := resolver.NewBuilder(client)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("etcd:///"+target,
		grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		return err
	}
	defer connection.Close()
	for n := range calls {
		var header metadata.MD
		// Both messages have only optional fields, so an empty one stands for either.
		err := connection.Invoke(ctx, "/lightmesh.demo.Echo/Say", &emptypb.Empty{}, &emptypb.Empty{},
			grpc.Header(&header), grpc.WaitForReady(true))
		if err != nil {
			return fmt.Errorf("call %d of %s: %w", n+1, target, err)
		}
		if len(header.Get("x-backend")) == 0 || len(header.Get("x-instance")) == 0 {
			return errors.New("the answer does not say who gave it")
		}
		seen.Backends[header.Get("x-backend")[0]]++
		seen.Instances[header.Get("x-instance")[0]]++
	}
	return nil
}
