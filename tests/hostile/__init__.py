"""Mail made to hurt: generators, no blobs, and the budgets that each of them must stay within."""
