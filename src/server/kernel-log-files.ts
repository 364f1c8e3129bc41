/** Files in the work directory that kernels write to which belong to no session yet. */

/** Of the process that kernels are forked from. */
export const FORK_SERVER_LOG = "fork-server.log";

/** Of kernels that wait for a session. */
export const KERNEL_POOL_LOG = "kernel-pool.log";
