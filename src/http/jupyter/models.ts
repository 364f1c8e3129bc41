/** Sessions in the shapes of Jupyter Server's API. */
import type { Session } from "../../session/session.ts";
import type { KernelSpecInfo } from "../context.ts";
import { kernelIdOf } from "./kernel-id.ts";

/** @see https://petstore.swagger.io/?url=https://raw.githubusercontent.com/jupyter-server/jupyter_server/main/jupyter_server/services/api/api.yaml */
export interface KernelModel {
  id: string;
  name: string;
  last_activity: string;
  execution_state: string;
  connections: number;
  /** Beyond Jupyter's: the session's id in our own API. */
  taskweaver_session_id: string;
}

/** The kernel of a running session. */
export function kernelModel(session: Session): KernelModel {
  const { kernel, last_activity } = session.info;
  return {
    id: kernelIdOf(session.id),
    name: kernel,
    last_activity,
    execution_state: session.guests.state,
    connections: session.guests.count,
    taskweaver_session_id: session.id,
  };
}

/** One of the kernelspecs. How it is started is the server's own matter. */
export function kernelSpecModel({ name, displayName, language, interruptMode }: KernelSpecInfo): Record<string, unknown> {
  const spec = { argv: [], env: {}, display_name: displayName, language, interrupt_mode: interruptMode, metadata: {} };
  return { name, spec, resources: {} };
}
