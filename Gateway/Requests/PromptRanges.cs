using System.Buffers;
using System.Buffers.Binary;

namespace Gateway.Requests;

/// <summary>What a piece of a prompt is, and with it how it enters the canonical byte sequence.</summary>
internal enum PromptPiece : byte
{
    /// <summary>Text as it stands in the JSON, escapes as written.</summary>
    Text,

    /// <summary>Start of a message: a mark and the role.</summary>
    Role,

    /// <summary>Image, audio or file: eight bytes of hash instead of the base64.</summary>
    Media,

    /// <summary>A JSON list of token ids: four bytes each.</summary>
    TokenIds,
}

/// <summary>A growing list of places in the body that make up the prompt, in the order in which they are hashed.</summary>
/// <remarks>Stops growing when it covers the longest chain, so that its size is bounded whatever the body holds.</remarks>
internal struct PromptRanges
{
    private (int Start, int Length, PromptPiece Piece)[]? _ranges;
    private int _count;

    /// <summary>Bytes of the canonical sequence that the ranges give at most.</summary>
    public int CanonicalBytes { get; private set; }

    public readonly int Count => _count;

    public readonly ReadOnlySpan<(int Start, int Length, PromptPiece Piece)> Ranges => _ranges.AsSpan(0, _count);

    /// <returns>The index of the range, to be filled in later by <see cref="SetRole"/>; -1 when the list is full.</returns>
    public int Add(int start, int length, PromptPiece piece, int limitBytes)
    {
        if (CanonicalBytes >= limitBytes || (length == 0 && piece != PromptPiece.Role))
        {
            return -1;
        }

        _ranges ??= ArrayPool<(int, int, PromptPiece)>.Shared.Rent(64);
        if (_count == _ranges.Length)
        {
            var larger = ArrayPool<(int, int, PromptPiece)>.Shared.Rent(_count * 2);
            _ranges.CopyTo(larger, 0);
            ArrayPool<(int, int, PromptPiece)>.Shared.Return(_ranges);
            _ranges = larger;
        }

        _ranges[_count] = (start, length, piece);
        CanonicalBytes += MostBytes(length, piece);
        return _count++;
    }

    /// <summary>Names the role of a message whose place was kept: the role may stand behind the content.</summary>
    public void SetRole(int index, int start, int length)
    {
        if (index >= 0)
        {
            _ranges![index] = (start, length, PromptPiece.Role);
            CanonicalBytes += length;
        }
    }

    public void Clear()
    {
        _count = 0;
        CanonicalBytes = 0;
    }

    public void Return()
    {
        if (_ranges is { } rented)
        {
            _ranges = null;
            _count = 0;
            ArrayPool<(int, int, PromptPiece)>.Shared.Return(rented);
        }
    }

    /// <summary>Feeds every range into the stream.</summary>
    public readonly void AppendTo(ref PrefixStream stream, ReadOnlySpan<byte> body, PrefixHasher hasher)
    {
        Span<byte> word = stackalloc byte[9];
        foreach (var (start, length, piece) in Ranges)
        {
            if (stream.IsFull)
            {
                return;
            }

            var bytes = body.Slice(start, length);
            switch (piece)
            {
                case PromptPiece.Text:
                    stream.Append(bytes);
                    break;
                case PromptPiece.Role:
                    // 0xFF and 0xFE occur in no UTF-8 text: a prompt cannot imitate a mark.
                    stream.Append([0xFF]);
                    stream.Append(bytes);
                    stream.Append([0xFF]);
                    break;
                case PromptPiece.Media:
                    word[0] = 0xFE;
                    BinaryPrimitives.WriteUInt64LittleEndian(word[1..], hasher.Key(bytes));
                    stream.Append(word);
                    break;
                default:
                    AppendTokenIds(ref stream, bytes);
                    break;
            }
        }
    }

    private static void AppendTokenIds(ref PrefixStream stream, ReadOnlySpan<byte> list)
    {
        Span<byte> word = stackalloc byte[4];
        var id = 0u;
        var inNumber = false;
        foreach (var letter in list)
        {
            if (letter is >= (byte)'0' and <= (byte)'9')
            {
                id = unchecked((id * 10) + (uint)(letter - '0'));
                inNumber = true;
            }
            else if (inNumber)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(word, id);
                stream.Append(word);
                id = 0;
                inNumber = false;
            }
        }
    }

    private static int MostBytes(int length, PromptPiece piece) => piece switch
    {
        PromptPiece.Media => 9,
        PromptPiece.Role => length + 2,
        PromptPiece.TokenIds => length * 2,
        _ => length,
    };
}
