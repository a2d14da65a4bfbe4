extension Configuration {
    /// Watching packets, and dropping them where they come in.
    package struct EBPF: Sendable, Equatable {
        package var enabled = EngineSwitch.auto
        package var interfaces = ["auto"]
        package var xdpMode = AttachMode.skb
        package var mode = Mode.monitor
        /// Bytes.
        package var ringBufferSize = 1 << 20
        package var blocklistMaxEntries = 1_000_000
        /// Empty is none.
        package var rulesPath = ""
        package var allow: [String] = []
        package var portScan = PortScan()
        package var synFlood = Flood(packets: 500)
        package var udpFlood = Flood(packets: 100_000)

        package enum AttachMode: String, CaseIterable, Sendable {
            case skb, native
        }

        package enum Mode: String, CaseIterable, Sendable {
            case off, monitor, shadow, enforce
        }

        package struct PortScan: Sendable, Equatable {
            package var isEnabled = true
            package var targets = 15
            package var window = Duration.seconds(60)
        }

        package struct Flood: Sendable, Equatable {
            package var isEnabled = true
            package var packets: Int
            package var window = Duration.seconds(5)
        }
    }
}
