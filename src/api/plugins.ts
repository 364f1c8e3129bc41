/** Plugins: Python functions of the user's that a session can call. */
import { Type, type Static } from "typebox";
import { PluginName } from "./ids.ts";
import { nullable, optional } from "./optional.ts";

export const LoadPluginRequest = Type.Object(
  {
    name: PluginName,
    code: Type.String({ description: "Python source that registers one plugin" }),
    config: optional(Type.Object({}, { additionalProperties: true, description: "What the plugin sees as self.config" })),
  },
  { $id: "LoadPluginRequest", title: "LoadPluginRequest", additionalProperties: false },
);
export type LoadPluginRequest = Static<typeof LoadPluginRequest>;

export const LoadPluginResponse = Type.Object(
  { name: Type.String(), status: Type.Literal("loaded") },
  { $id: "LoadPluginResponse", title: "LoadPluginResponse" },
);
export type LoadPluginResponse = Static<typeof LoadPluginResponse>;

export const UnloadPluginResponse = Type.Object(
  { name: Type.String(), status: Type.Literal("unloaded") },
  { $id: "UnloadPluginResponse", title: "UnloadPluginResponse" },
);
export type UnloadPluginResponse = Static<typeof UnloadPluginResponse>;

export const TestPluginResponse = Type.Object(
  {
    name: Type.String(),
    is_success: Type.Boolean({ description: "Whether every test passed" }),
    tests: Type.Array(
      Type.Object({
        name: Type.String(),
        description: nullable(Type.String()),
        is_success: Type.Boolean(),
        error: nullable(Type.String()),
      }),
    ),
  },
  { $id: "TestPluginResponse", title: "TestPluginResponse" },
);
export type TestPluginResponse = Static<typeof TestPluginResponse>;
