#!/bin/sh
# Makes demo.mp4, the clip that the binary carries: 16 s of H.264 (1280x720, 30
# frames a second, a keyframe each second, no B-frames) and AAC (48 kHz stereo),
# that repeat without a seam.
#
# Needs Go, ffmpeg with libx264, and the fonts Inter and JetBrains Mono
# (Debian: apt-get install fonts-inter fonts-jetbrains-mono). The same versions of
# them make the same bytes.
set -eu
cd "$(dirname "$0")"

fonts=${FONTS:-/usr/share/fonts}
display=$fonts/opentype/inter/InterDisplay-Bold.otf
text=$fonts/opentype/inter/Inter-Medium.otf
mono=$fonts/truetype/jetbrains-mono/JetBrainsMono-Bold.ttf
for font in "$display" "$text" "$mono"; do
	[ -r "$font" ] || { echo "$0: missing font $font" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/clip" ./clip
ff="ffmpeg -hide_banner -nostdin -loglevel error -y"

# Text over the rendered frames. The clock counts from zero in each loop.
label="drawtext=fontfile=$display:text=Framewire:fontsize=84:fontcolor=0xf4f7ff:x=88:y=186"
label="$label,drawtext=fontfile=$text:text=Live video to any page over one WebSocket:fontsize=26:fontcolor=0xb8c0e0:x=92:y=290"
label="$label,drawtext=fontfile=$text:text=H.264 1280x720 at 30 frames a second · AAC 48 kHz stereo:fontsize=18:fontcolor=0x8089b3:x=92:y=336"
label="$label,drawtext=fontfile=$mono:text='%{eif\\:n/30\\:d\\:2}.%{eif\\:mod(n\\,30)\\:d\\:2}':fontsize=64:fontcolor=0xf4f7ff:x=985-tw/2:y=258"
label="$label,drawtext=fontfile=$mono:text='frame %{eif\\:n\\:d\\:3}':fontsize=20:fontcolor=0xb8c0e0:x=985-tw/2:y=334"

"$work/clip" video | $ff -f rawvideo -pixel_format rgb24 -video_size 1280x720 -framerate 30 -i pipe:0 \
	-vf "$label,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p" \
	-c:v libx264 -preset veryslow -profile:v high -crf "${CRF:-28}" -bf 0 -g 30 -keyint_min 30 -sc_threshold 0 \
	-x264-params threads=1:open-gop=0:aq-mode=3:ref=3 \
	-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
	-flags +bitexact -fflags +bitexact -f h264 "$work/video.h264"

# The sound is encoded three times over, and the second pass cut out by packets:
# 750 of them, behind the 750 of the first pass and the encoder's own delay of one.
"$work/clip" audio | $ff -f s16le -ar 48000 -channel_layout stereo -i pipe:0 -c:a aac -b:a 96k \
	-flags +bitexact -fflags +bitexact -f adts "$work/three.aac"
$ff -i "$work/three.aac" -c copy -bsf:a "noise=drop='lt(n,751)+gte(n,1501)'" \
	-fflags +bitexact -f adts "$work/audio.aac"

$ff -r 30 -i "$work/video.h264" -i "$work/audio.aac" -c copy -video_track_timescale 30000 \
	-movflags +faststart -map_metadata -1 -flags +bitexact -fflags +bitexact -f mp4 demo.mp4
ls -l demo.mp4
