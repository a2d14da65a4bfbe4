/// The version that both programs report; `CHANGELOG.md` says what is in it.
package enum IronpostVersion {
    package static let current = "0.1.0"
}
