// The build puts the SDK into a file of its own, which only this module loads.
export {
  type CallToolResult,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  McpServer,
  ResourceTemplate,
  type Transport
} from "@modelcontextprotocol/server"
export { serveStdio } from "@modelcontextprotocol/server/stdio"
