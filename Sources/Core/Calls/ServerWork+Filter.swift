extension ServerWork {
    /// A read that is answered at once.
    var withoutWaiting: ServerWork {
        guard case .read(let query, var options) = self else { return self }
        options.minQueryIndex = 0
        return .read(query, options)
    }

    /// The filter that whoever calls from elsewhere leaves to the server; nil for none.
    func makeFilter() throws(FilterError) -> Filter? {
        guard case .read(let query, let options) = self, !options.filter.isEmpty, let schema = query.filterSchema else { return nil }
        return try Filter.compile(options.filter, schema)
    }
}
