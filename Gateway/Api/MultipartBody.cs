using Gateway.Forwarding;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary>Reads a form only as far as its <c>model</c> field; the file behind it is passed on without being kept, and looked through for a second one.</summary>
internal static class MultipartBody
{
    /// <param name="request">The request.</param>
    /// <param name="maxBytes">Most that is kept while the model is looked for.</param>
    /// <param name="share">Memory for bodies.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async ValueTask<(RequestBytes? Body, BodyFacts Facts, ApiProblem? Problem)> OpenAsync(
        HttpRequest request, long maxBytes, BodyShare share, CancellationToken cancellationToken)
    {
        if (MultipartModelScanner.Create(request.ContentType) is not { } scanner)
        {
            return (null, BodyFacts.None, OutcomeMap.UnsupportedMediaType("multipart/form-data with a boundary"));
        }
        if (request.ContentLength > maxBytes)
        {
            return (null, BodyFacts.None, OutcomeMap.BodyTooLarge(maxBytes));
        }
        var body = RequestBytes.Begin(share);
        var opened = false;
        try
        {
            var (scan, isWhole) = await FindModelAsync(request.Body, body, scanner, maxBytes, cancellationToken);
            if (body.IsRefused)
            {
                return (null, BodyFacts.None, OutcomeMap.Overloaded());
            }
            if (body.Memory.Length > maxBytes)
            {
                return (null, BodyFacts.None, OutcomeMap.BodyTooLarge(maxBytes));
            }
            if (scan != MultipartScan.Found)
            {
                var problem = scanner.Problem ?? new BodyProblem("missing_required_parameter", "The form has no field 'model'. Add it, best before the file.", "model");
                return (null, BodyFacts.None, OutcomeMap.Of(problem));
            }
            if (!isWhole)
            {
                body.LeaveRest(request.Body, maxBytes, scanner);
            }
            opened = true;
            return (body, FactsOf(scanner, request.ContentLength ?? body.Memory.Length), null);
        }
        finally
        {
            if (!opened)
            {
                body.Dispose();
            }
        }
    }

    private static async ValueTask<(MultipartScan Scan, bool IsWhole)> FindModelAsync(
        Stream form, RequestBytes body, MultipartModelScanner scanner, long maxBytes, CancellationToken cancellationToken)
    {
        while (body.Memory.Length <= maxBytes)
        {
            var read = await body.ReadMoreAsync(form, maxBytes, cancellationToken);
            if (read == 0)
            {
                return (scanner.Finish(), true);
            }
            if (scanner.Feed(body.Memory.Span[^read..]) is var scan and not MultipartScan.NeedMore)
            {
                return (scan, false);
            }
        }
        return (MultipartScan.NeedMore, false);
    }

    private static BodyFacts FactsOf(MultipartModelScanner scanner, long bodyBytes) => new()
    {
        Model = scanner.Model,
        ModelValue = (int)scanner.ModelStart..((int)scanner.ModelStart + scanner.ModelLength),
        IsStreaming = scanner.IsStreaming,
        BodyBytes = bodyBytes,
        MediaParts = 1,
    };
}
