/** How tools are told which session they are for. */
import { Type } from "typebox";
import { SessionId } from "../../api/index.ts";

/** `session_id`, of tools that have a session to fall back on. */
export const session_id = Type.Optional(Type.Unsafe<string>({ ...SessionId, description: "By default the session of this conversation" }));
