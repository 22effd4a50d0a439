"""What the system tests share: relays, clients, next hops, name servers."""
