extension Configuration.Response.Budget {
    /// Containers that may be isolated within `per` while so many run.
    package func allowed(of running: Int) -> Int {
        max(minimum, Int((Double(max(0, running)) * share).rounded(.down)))
    }
}
