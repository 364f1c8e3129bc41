/** The gateway's public face. */
export { Gateway, type GatewayOptions } from "./gateway.ts";
