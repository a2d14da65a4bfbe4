import IronpostCore
import Testing

@testable import ironpost

/// Lists of addresses in the forms in which people have them.
@Suite struct BlockListTests {
    private static func read(_ text: String) throws -> [String] {
        try BlockListFile.read(Array(text.utf8)).map { entry in
            entry.network.description + (entry.ttl.map { " \($0.nanoseconds / 1_000_000_000)" } ?? "")
        }
    }

    static let lists: [(form: String, text: String, expected: [String])] = [
        (
            "plain",
            "# drop\n203.0.113.7\n 198.51.100.0/24 ; SBL1\r\n\n2001:db8::/32\t# all of it\n;203.0.113.9\n203.0.113.8",
            ["203.0.113.7", "198.51.100.0/24", "2001:db8::/32", "203.0.113.8"]
        ),
        (
            "ipset",
            """
            create bad hash:ip family inet hashsize 1024 maxelem 65536 timeout 3600
            add bad 203.0.113.7 timeout 300
            add bad 203.0.113.8
            add bad 198.51.100.0/24 timeout 0 comment "x"
            """, ["203.0.113.7 300", "203.0.113.8", "198.51.100.0/24"]
        ),
        (
            "nft",
            """
            table inet filter {
                set bad {
                    type ipv4_addr
                    flags interval,timeout
                    elements = { 203.0.113.7 timeout 1h expires 59m30s, 198.51.100.0/24,
                                 203.0.113.8 timeout 2h }
                }
            }
            """, ["203.0.113.7 3570", "198.51.100.0/24", "203.0.113.8 7200"]
        ),
        (
            "CrowdSec, raw",
            """
            id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id,scope,value
            """, []
        ),
        (
            "CrowdSec, values",
            """
            duration,scope,type,value
            3h59m12.5s,ip,ban,203.0.113.7
            4h,Range,ban,198.51.100.0/24
            4h,ip,captcha,203.0.113.9
            4h,country,ban,XX
            """, ["203.0.113.7 14352", "198.51.100.0/24 14400"]
        ),
        (
            "CrowdSec, decisions",
            """
            [{"duration":"3h","scope":"Ip","type":"ban","value":"203.0.113.7","id":1,"origin":"cscli"},
             {"duration":"3h","scope":"Ip","type":"captcha","value":"203.0.113.8"},
             {"duration":"-3m","scope":"Range","type":"ban","value":"198.51.100.0/24"}]
            """, ["203.0.113.7 10800", "198.51.100.0/24"]
        ),
        (
            "CrowdSec, alerts",
            #"[{"id":3,"decisions":[{"duration":"1h","scope":"Ip","type":"ban","value":"2001:db8::7"}]},{"id":4}]"#,
            ["2001:db8::7 3600"]
        ),
        ("of another system", "203.0.113.7\r\n198.51.100.0/24\r\n", ["203.0.113.7", "198.51.100.0/24"]),
        (
            "ipset of another system", "create bad hash:ip\r\nadd bad 203.0.113.7 timeout 300\r\n",
            ["203.0.113.7 300"]
        ),
        ("twice", "203.0.113.7\n203.0.113.8\n203.0.113.7\n", ["203.0.113.8", "203.0.113.7"]),
    ]

    @Test(arguments: lists.indices)
    func eachFormIsRead(index: Int) throws {
        let (form, text, expected) = Self.lists[index]
        #expect(try Self.read(text) == expected, "\(form)")
    }

    /// A line that cannot be read is named, and nothing of the list is taken.
    @Test(arguments: [
        ("203.0.113.7\nexample.org\n", 2), ("203.0.113.7\n203.0.113.0/33\n", 2), ("203.0.113.7,\n", 1),
        ("create bad hash:ip\nadd bad 203.0.113.7\nadd bad\n", 3),
        ("create bad hash:ip\nadd bad 203.0.113.7\nflush bad\n", 3),
        ("set x {\n elements = { 203.0.113.7,\n one }\n}", 3), ("duration,value\n1h\n", 2),
        ("duration,value\n1h,nobody\n", 2), (#"[{"value":"nobody"}]"#, 1), (#"{"a":1}"#, 1),
    ])
    func aBadLineIsNamed(text: String, line: Int) {
        do {
            let found = try Self.read(text)
            Issue.record("it was read: \(found)")
        } catch let fault as BlockListFile.Fault {
            #expect(fault.line == line, "\(fault)")
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func whatIsNoTextIsRefused() {
        #expect(throws: BlockListFile.Fault.self) { try BlockListFile.read([0x32, 0xFF, 0x0A]) }
    }
}
