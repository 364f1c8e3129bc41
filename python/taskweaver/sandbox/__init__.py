"""The walls around a kernel: what it may read and write, whom it sees, whether it has a network. Linux only."""
