# One of three daemons that keep the same messages. Each has a configuration like
# this one; what differs is marked.

listen  = "127.0.0.1:8189" # differs: the API, of which every daemon serves all
data    = "data-a"         # differs: what is not shared, and this node's copy
plugins = "plugins"        # the same plugins everywhere

store "cluster" {
  node   = "a"              # differs: the name of this node
  listen = "127.0.0.1:7422" # differs: where the other nodes reach it

  # All nodes. The own may be among them, so that this list is the same on all. For
  # the very first start all of them must run, later most of them.
  peers = ["127.0.0.1:7422", "127.0.0.1:7423", "127.0.0.1:7424"]

  # On how many nodes everything is: any one of three may be lost.
  replicas = 3

  # The same on all nodes, and known to nobody else.
  secret = file("cluster-secret")

  # Between machines, certificates are needed as well. They are shown to nodes that
  # connect and to those that are connected to: issue them for servers and clients,
  # for the address in peers, by an authority that issues no others.
  #
  #   tls {
  #     ca          = "nodes-ca.pem"
  #     certificate = "node-a.pem"
  #     key         = "node-a.key"
  #   }
}

queue "plain" {
  title = "Tried out on three nodes"
}
