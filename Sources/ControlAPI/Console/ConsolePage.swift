import CConsole
import HTTPTypes
import Hummingbird

/// The pages that are compiled in.
enum ConsolePage {
    static let openAPI = unsafe ByteBuffer(
        bytes: UnsafeRawBufferPointer(start: ip_openapi(), count: ip_openapi_bytes())
    )

    private static let page = unsafe String(
        decoding: UnsafeRawBufferPointer(start: ip_console_page(), count: ip_console_page_bytes()), as: UTF8.self
    )
    private static let nonceMark = "{{nonce}}"

    /// The console, which may run its own script and style, fetch from here, and nothing else.
    static func response() -> Response {
        let nonce = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "connect-src 'self'",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ]
        let text = page.split(separator: nonceMark, omittingEmptySubsequences: false).joined(separator: nonce)
        var response = Response(
            status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
        response.headers[.contentSecurityPolicy] = policy.joined(separator: "; ")
        if let referrerPolicy = HTTPField.Name("Referrer-Policy") { response.headers[referrerPolicy] = "no-referrer" }
        return response
    }
}
