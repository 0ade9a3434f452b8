// The build puts the SDK into a file of its own, which only this module loads.
export { type CallToolResult, McpServer, ResourceTemplate } from "@modelcontextprotocol/server"
export { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio"
